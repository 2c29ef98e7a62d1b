"""The view of records is what the rules know of them, however its events are cut into batches."""

from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Rejected
from chassis.keyring import MemoryKeyring, Sealer
from chassis.log import MemoryLog
from chassis.streams import Streams
from contracts.envelope import Envelope
from services.entities.app import SCHEMAS
from services.entities.records.decider import DeleteRecord, PutRecord, decider_of
from services.entities.records.state import Record
from services.entities.records.views import RECORDS, RecordDocument, evolve

CONTRACT = decider_of(SCHEMAS["contract"])
BASE = {"status": "active", "division": "gas", "product": "Erdgas"}

values = st.fixed_dictionaries(
    {},
    optional={
        "product": st.sampled_from(["Erdgas", "Biogas"]),
        "starts_on": st.sampled_from(["01.03.2026", "", None]),
        "delivery_city": st.sampled_from(["Lindenau", "Ruhland", ""]),
        "delivery_street": st.sampled_from(["Am Markt 1", None]),
    },
)
puts = st.builds(
    lambda more, holder: PutRecord("v", "V-1", {**BASE, **more}, {"holder": (holder,)}), values, st.sampled_from("abc")
)
commands = st.one_of(puts, puts, puts, st.just(DeleteRecord("v")))


class House:
    """Streams in memory."""

    def __init__(self) -> None:
        self.keyring = MemoryKeyring()
        self.log = MemoryLog("entities")
        self.sealer = Sealer(self.keyring)
        self.streams = Streams(self.log, self.sealer)

    async def do(self, command: Any) -> None:
        with suppress(Rejected):
            await self.streams.execute(CONTRACT, "v", command)

    async def state(self) -> Any:
        return (await self.streams.load(CONTRACT, "v")).state

    async def history(self) -> list[Envelope]:
        return await self.streams.history("contract/v")


def document(envelopes: list[Envelope], cut: int) -> RecordDocument | None:
    documents: dict[str, RecordDocument | None] = {}
    for batch in (envelopes[:cut], envelopes[cut:]):
        documents |= RECORDS.fold(documents, batch)
    return documents.get("contract/v")


def assert_same(shown: RecordDocument | None, state: Any) -> None:
    if not isinstance(state, Record):
        assert shown is None
        return
    assert shown is not None
    assert (shown.attributes, shown.relations, shown.person) == (state.attributes, state.relations, state.person)
    assert (shown.personal, shown.erased) == (state.personal if not state.erased else {}, state.erased)


@given(st.lists(commands, max_size=8), st.integers(0, 12), st.sampled_from(["contact/a", "contact/b"]))
async def test_the_view_knows_what_the_rules_know(sequence: list[Any], cut: int, erased: str) -> None:
    house = House()
    for command in sequence:
        await house.do(command)
    envelopes = await house.history()
    assert_same(document(envelopes, cut), await house.state())

    await house.keyring.erase(erased)
    for command in sequence[:2]:
        await house.do(command)
    envelopes = await house.history()
    shown, state = document(envelopes, cut), await house.state()
    assert_same(shown, state)
    if shown and shown.person == erased:
        assert not shown.personal


async def test_a_change_that_cannot_be_read_any_more_takes_the_old_values_along() -> None:
    house = House()
    await house.do(PutRecord("v", "V-1", {**BASE, "delivery_city": "Lindenau"}, {"holder": ("a",)}))
    shown = document(await house.history(), 0)
    await house.do(PutRecord("v", "V-1", {"delivery_city": "Ruhland"}, {}))
    await house.keyring.erase("contact/a")
    shown = evolve(shown, (await house.history())[1])
    assert shown is not None
    assert (shown.personal, shown.erased) == ({}, True)


async def test_what_is_not_there_is_not_changed() -> None:
    house = House()
    await house.do(PutRecord("v", "V-1", BASE, {"holder": ("a",)}))
    await house.do(PutRecord("v", "V-1", {"product": "Biogas"}, {}))
    changed = (await house.history())[1]
    assert evolve(None, changed) is None
