"""PostgreSQL and Kafka are killed in the middle of the demo story: `portico up` brings them back, it ends well."""

import time
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from cli.stack.background import started
from cli.stack.kafka import Kafka, answers
from cli.stack.state import Record, State
from cli.story.plot import play
from cli.story.stage import Place, set_up
from tests.conftest import temporary_state
from tests.guarantees.plan import LONG, Plan
from tests.story.recorded import Recorded

READY_SECONDS = 60.0
KILLED = ("postgres", "kafka")


class Killer(Recorded):
    """Hears the story, and kills a server at the beginning of some chapters."""

    def __init__(self, record: Record, plan: Plan) -> None:
        super().__init__()
        self.recovered: dict[str, float] = {}
        self._record = record
        self._victims = dict(zip(sorted(plan.rng.sample(range(2, 7), len(KILLED))), KILLED, strict=True))

    def chapter(self, title: str) -> None:
        super().chapter(title)
        name = self._victims.get(len(self.chapters))
        if name:
            kill(self._record.pids[name])
            begun = time.monotonic()
            wait_until_ready(self._record)
            self.recovered[name] = time.monotonic() - begun


def kill(pid: int) -> None:
    """The server and all that it started; some of it ends by itself when the server does."""
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def wait_until_ready(record: Record) -> None:
    """The servers answer again, and all services are at work."""
    broker = Kafka(Path(), record.ports["kafka"], 0, Path())
    limit = time.monotonic() + READY_SECONDS
    while not (answers(broker) and all(is_ready(url) for url in record.services.values())):
        if time.monotonic() > limit:
            raise TimeoutError(f"not ready within {READY_SECONDS} s")
        time.sleep(0.1)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not LONG, reason="in the long form; test_07 kills the same servers")
async def test_the_story_ends_well(plan: Plan) -> None:
    with temporary_state() as folder, started(State(folder / ".portico"), "--port-base", "0") as record:
        account = Killer(record, plan)
        async with set_up(Place.of(record), account) as stage:
            await play(stage)
    assert account.recovered.keys() == set(KILLED)
    assert account.checks[-1].startswith("Four events, four mails")
    plan.tell(chapters=len(account.chapters), **{f"s_after_{name}": s for name, s in account.recovered.items()})
