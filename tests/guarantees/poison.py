"""A view that cannot fold some events until it is mended, and a service in this process that keeps it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from pydantic import BaseModel

from chassis.auth import LocalKeys, Principal, generate_key, issue
from chassis.service import Service
from chassis.settings import Settings
from chassis.testing import eventually, running
from chassis.texts import Texts
from chassis.views import View, ViewReader
from contracts.envelope import Envelope
from contracts.ids import stream, stream_id
from tests.chassis.events import COUNTER, Increased
from tests.guarantees.harness import SECONDS, World

KEY = generate_key()
POISON = 666
OTHER_POISON = 667


class Listed(BaseModel):
    """All increases of a counter in the order in which they were folded."""

    values: list[int] = []


@dataclass
class Fold:
    """Cannot cope with some increases until it is mended."""

    broken: set[int] = field(default_factory=set)

    def __call__(self, document: Listed | None, envelope: Envelope) -> Listed:
        assert isinstance(envelope.event, Increased)
        if envelope.event.by in self.broken:
            raise ZeroDivisionError("poison")
        return Listed(values=[*(document.values if document else []), envelope.event.by])


def key(envelope: Envelope) -> str:
    return stream_id(envelope.stream)


@dataclass
class Poisoned:
    """The service at work, its view, and what an operator can do."""

    service: Service
    client: httpx.AsyncClient
    reader: ViewReader[Listed]
    fold: Fold

    async def increase(self, id_: str, by: int) -> str:
        return str((await self.service.streams.execute(COUNTER, id_, by)).position)

    async def history(self, id_: str) -> list[int]:
        events = [envelope.event for envelope in await self.service.streams.history(stream(COUNTER.kind, id_))]
        return [event.by for event in events if isinstance(event, Increased)]

    async def values(self, id_: str) -> list[int]:
        found = await self.reader.get(id_)
        return found.values if found else []

    async def applied(self, seconds: float = SECONDS) -> None:
        """Returns when every event of the log is applied or parked."""

        async def all_applied() -> bool:
            heads = await self.service.log.heads()
            positions = [position for consumer in self.service.consumers for position in consumer.positions()]
            return bool(positions) and all(one["position"] == heads[one["partition"]] for one in positions)

        await eventually(all_applied, seconds)

    async def parked(self) -> list[dict[str, Any]]:
        answer = await self.client.get("/ops/parked", headers=self._operator)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def retry(self, stream_name: str | None = None, after: int = 0) -> dict[str, Any]:
        wanted: dict[str, Any] = {"consumer": self.reader.view.consumer, "after": after}
        wanted |= {"stream": stream_name} if stream_name else {}
        answer = await self.client.post("/ops/parked/retry", headers=self._operator, json=wanted)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    @property
    def _operator(self) -> dict[str, str]:
        signed = issue(KEY, Principal("operator", "operator-1").claims(), timedelta(minutes=30))
        return {"Authorization": f"Bearer {signed}"}


@asynccontextmanager
async def poisoned(world: World) -> AsyncIterator[Poisoned]:
    fold = Fold({POISON, OTHER_POISON})
    view = View("listed", 1, Listed, (Increased,), key, fold)
    readers: list[ViewReader[Listed]] = []

    def create(settings: Settings) -> Service:
        service = Service("billing", settings, Texts({}), keys=LocalKeys([KEY]))
        readers.append(service.view(view))
        return service

    async with running(create, world.settings) as made:
        yield Poisoned(made.service, made.client, readers[0], fold)
