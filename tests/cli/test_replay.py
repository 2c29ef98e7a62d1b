"""`portico replay`: the views of real services, personal values sealed or revealed, and what concerns somebody."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from chassis.keyring import MemoryKeyring, Sealer
from chassis.log import Append, MemoryLog, NewEvent
from cli.events.reveal import Revealer
from cli.events.seen import Seen
from cli.problem import Problem
from cli.replay.as_of import as_of, find_view
from cli.replay.commands import _wanted
from cli.replay.sources import Batches, Once, _merged, _seen
from contracts.base import Event, Sealed
from contracts.entities import EntityChanged, EntityCreated, EntityDeleted
from contracts.envelope import Metadata
from contracts.ids import Position
from contracts.topics import SERVICES
from tests.chassis.events import COUNTERS, Counter, Greeted, Increased

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class World:
    """A history, in memory."""

    def __init__(self) -> None:
        self.sealer = Sealer(MemoryKeyring())
        self.logs: dict[str, MemoryLog] = {}
        self.seen: list[Seen] = []

    async def happens(self, stream: str, event: Event, minutes: float = 0) -> Seen:
        log = self.logs.setdefault(event.service, MemoryLog(event.service, 1))
        before = len((await log.load([stream])).get(stream, ()))
        (data,) = await self.sealer.encode([event])
        await log.append(
            Append(stream, before, (NewEvent(event.type, data, Metadata()),), NOW + timedelta(minutes=minutes))
        )
        seen = _seen((await log.load([stream]))[stream][-1])
        self.seen.append(seen)
        return seen

    async def events(self) -> Batches:
        yield self.seen


class FakeRevealer(Revealer):
    """Opens every box but those of the erased, as identity does it."""

    def __init__(self, sealer: Sealer, erased: Sequence[str] = ()) -> None:
        self._sealer = sealer
        self._erased = erased

    async def _open(self, boxes: Sequence[Sealed]) -> list[object]:
        values = await self._sealer.reveal(boxes)
        return [None if box.sealed in self._erased else value for box, value in zip(boxes, values, strict=True)]


async def test_a_view_of_a_real_service_is_folded_without_starting_it() -> None:
    world, view = World(), find_view("billing", "contracts")
    contract = EntityCreated(
        entity="contract", id="c1", external_id="K-1", person=None, attributes={"division": "gas"}, personal={},
        relations={},
    )  # fmt: skip
    await world.happens("contract/c1", contract)
    changed = EntityChanged(
        entity="contract", id="c1", external_id="K-2", person=None, attributes={}, personal={}
    )  # fmt: skip
    second = await world.happens("contract/c1", changed, 10)
    await world.happens("contract/c1", EntityDeleted(entity="contract", id="c1", external_id="K-2"), 20)
    expected = {None: None, NOW + timedelta(minutes=5): "K-1", Position("entities", 0, 2): "K-2", NOW: "K-1"}
    for moment, number in expected.items():
        then = await as_of(view, "c1", moment, world.events(), None)
        assert (then.document and then.document.model_dump()["number"]) == number
    assert then.last is not None
    assert second.place == "entities/0:2"


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_tells_its_views(service: str) -> None:
    with pytest.raises(Problem, match=f"{service} has no view 'moon'"):
        find_view(service, "moon")


async def test_personal_values_are_sealed_unless_they_are_revealed() -> None:
    world = World()
    await world.happens("counter/a", Greeted(person="contact/1", name="Anna"))
    await world.happens("counter/a", Greeted(person="contact/2", name="Bernd"))
    sealed = await as_of(COUNTERS, "a", None, world.events(), None)
    assert sealed.document == Counter(names=[None, None])
    revealed = await as_of(COUNTERS, "a", None, world.events(), FakeRevealer(world.sealer, ["contact/2"]))
    assert revealed.document == Counter(names=["Anna", None])


async def test_what_never_was_is_a_plain_sentence() -> None:
    world = World()
    await world.happens("counter/a", Increased(by=1))
    with pytest.raises(Problem, match="There is no event billing/0:7"):
        await as_of(COUNTERS, "a", Position("billing", 0, 7), world.events(), None)
    nothing = await as_of(COUNTERS, "a", NOW - timedelta(days=1), world.events(), None)
    assert (nothing.document, nothing.events) == (None, 0)


async def test_what_concerns_somebody_is_found_wherever_it_is_said() -> None:
    world = World()
    own = await world.happens("contact/p1", Increased(by=1))
    named = await world.happens("counter/x", Greeted(person="contact/p1", name="Anna"), 5)
    await world.happens("counter/y", Increased(by=2), 10)
    assert [seen for seen in world.seen if _wanted("contact/p1", None, None)(seen)] == [own, named]
    assert [seen for seen in world.seen if _wanted("contact/p1", NOW + timedelta(minutes=1), None)(seen)] == [named]
    assert [seen for seen in world.seen if _wanted("", None, NOW)(seen)] == [own]


async def test_shards_are_merged_by_time_and_stay_in_order() -> None:
    world = World()
    one = [await world.happens("counter/a", Increased(by=by), by) for by in (1, 4, 3)]
    two = [replace(await world.happens("counter/a", Increased(by=by), by), partition=1) for by in (2, 5)]

    async def pages(events: list[Seen]) -> Batches:
        for seen in events:
            yield [seen]

    merged = [seen async for batch in _merged([pages(one), pages([]), pages(two)]) for seen in batch]
    assert [orjson.loads(seen.value or b"")["by"] for seen in merged] == [1, 2, 4, 3, 5]


async def test_repeated_events_are_told_from_new_ones() -> None:
    world, once = World(), Once()
    seen = await world.happens("counter/a", Increased(by=1))
    assert once.is_new(seen)
    assert not once.is_new(seen)
    assert once.is_new(replace(seen, partition=1))
