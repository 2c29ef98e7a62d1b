"""Some paths may be asked for more, and may take longer, than the rest."""

import asyncio

import httpx
import pytest

from chassis.auth import LocalKeys, TokenVerifier
from chassis.http import Limits, create_app
from chassis.texts import Texts

LIMITS = Limits(larger={"/imports": 4_096}, body_bytes=1_024, slower={"/imports": 5.0}, answer_seconds=0.05)


def test_limits_by_path() -> None:
    assert (LIMITS.bytes_for("/imports/contact"), LIMITS.bytes_for("/records")) == (4_096, 1_024)
    assert (LIMITS.seconds_for("/imports/contact"), LIMITS.seconds_for("/records")) == (5.0, 0.05)


@pytest.mark.parametrize(("path", "status"), [("/imports", 200), ("/records", 503)])
async def test_a_slow_path_is_waited_for(path: str, status: int) -> None:
    app = create_app("limits", Texts({}), TokenVerifier(LocalKeys([])), limits=LIMITS)
    late = asyncio.Event()

    @app.get(path)
    async def slow() -> dict[str, str]:
        await late.wait()
        return {}

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://limits") as client:
        asking = asyncio.create_task(client.get(path))
        done, _ = await asyncio.wait([asking], timeout=0.5)
        assert bool(done) == (status == 503)
        late.set()
        assert (await asking).status_code == status
