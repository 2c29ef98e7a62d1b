"""What a consumer of our topics looks into, and what passes it."""

from datetime import UTC, datetime

import pytest

from chassis.bus import ForeignRecord
from chassis.keyring import MemoryKeyring, Sealer
from chassis.sources import LogSource
from chassis.views import ViewHandler
from contracts.envelope import MalformedRecord, Metadata, Record
from contracts.ids import Position
from tests.chassis.events import COUNTERS, Increased

SOURCE = LogSource(ViewHandler(COUNTERS), Sealer(MemoryKeyring()))
UNWANTED = b"portico.billing.NobodyWantsThis.v1"


def record(partition: int = 1, **changed: bytes | None) -> ForeignRecord:
    """Event billing/1:7 as it is published; `changed` are headers with other values, None for missing ones."""
    at = datetime(2026, 11, 21, tzinfo=UTC)
    event = Record(Position("billing", 1, 7), "counter/1", 1, Increased.type, at, Metadata(), b'{"by": 1}')
    headers = {**dict(event.headers()), **changed}
    kept = [(name, value) for name, value in headers.items() if value is not None]
    return ForeignRecord("test.billing", partition, 6, b"counter/1", event.data, kept, 0)


async def test_events_that_the_handler_wants_are_opened() -> None:
    assert SOURCE.wants(record())
    assert [envelope.event for envelope in await SOURCE.open([record()])] == [Increased(by=1)]


async def test_others_pass_whatever_they_hold() -> None:
    other = record(ce_type=UNWANTED, ce_time=b"yesterday")
    assert not SOURCE.wants(other)
    assert await SOURCE.open([other]) == []


@pytest.mark.parametrize(
    "malformed",
    [
        record(ce_type=None),
        record(ce_id=None),
        record(partition=2),
        record(ce_type=UNWANTED, ce_id=None),
        record(ce_type=UNWANTED, partition=2),
    ],
    ids=["no type", "no position", "another's position", "unwanted, no position", "unwanted, another's position"],
)
async def test_what_is_no_event_of_its_partition_is_wanted_so_that_somebody_sees_it(malformed: ForeignRecord) -> None:
    assert SOURCE.wants(malformed)
    with pytest.raises(MalformedRecord):
        await SOURCE.open([malformed])
