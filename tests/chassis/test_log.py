"""One suite of cases for every event log, in memory and in PostgreSQL."""

import asyncio
import uuid
from datetime import UTC, datetime

import pytest

from chassis.log import Append, Appended, CommandKey, EventLog, NewEvent, Refused, Repeated, shard_of
from contracts.envelope import Metadata

NOW = datetime(2026, 11, 21, 12, 30, 15, 123456, tzinfo=UTC)


def stream() -> str:
    return f"instalments/{uuid.uuid4()}"


def append(
    name: str, expected: int, *payloads: bytes, key: CommandKey | None = None, metadata: Metadata | None = None
) -> Append:
    events = tuple(NewEvent("portico.test.Happened.v1", data, metadata or Metadata()) for data in payloads)
    return Append(name, expected, events, NOW, key)


async def everything(log: EventLog, shard: int, after: int = 0) -> list[int]:
    return [record.position.sequence for record in await log.read(shard, after, 100_000)]


async def test_an_unknown_stream_is_empty(log: EventLog) -> None:
    assert await log.load([stream()]) == {}


async def test_events_come_back_as_they_were_stored(log: EventLog) -> None:
    name = stream()
    metadata = Metadata(
        correlation_id="c-1", causation_id="portal/0:7", actor="staff/eva", traceparent="00-a-b-01", acted_as="user/u"
    )
    result = await log.append(append(name, 0, b'{"a":1}', '{"ü":"€"}'.encode(), metadata=metadata))
    assert isinstance(result, Appended)
    assert result.version == 2
    first, second = (await log.load([name]))[name]
    assert (first.version, second.version) == (1, 2)
    assert second.data == '{"ü":"€"}'.encode()
    assert second.metadata == metadata
    assert second.time == NOW
    assert second.position == result.position
    assert second.position.sequence == first.position.sequence + 1
    assert second.position.shard == shard_of(name, log.shards)


async def test_a_stale_version_is_refused_and_leaves_no_gap(log: EventLog) -> None:
    name = stream()
    await log.append(append(name, 0, b"1"))
    assert await log.append(append(name, 0, b"2")) == Refused(name, 0, 1)
    assert await log.append(append(name, 5, b"2")) == Refused(name, 5, 1)
    result = await log.append(append(name, 1, b"3"))
    assert isinstance(result, Appended)
    sequences = await everything(log, result.position.shard)
    assert sequences == list(range(1, len(sequences) + 1))


async def test_twenty_parallel_appends_to_one_stream_store_exactly_one(log: EventLog) -> None:
    name = stream()
    results = await asyncio.gather(*(log.append(append(name, 0, str(n).encode())) for n in range(20)))
    assert sum(isinstance(result, Appended) for result in results) == 1
    assert len((await log.load([name]))[name]) == 1


async def test_parallel_appends_to_many_streams_are_gapless_and_in_order(log: EventLog) -> None:
    names = [stream() for _ in range(300)]
    before = await log.heads()
    results = await asyncio.gather(*(log.append(append(name, 0, b"a", b"b")) for name in names))
    assert all(isinstance(result, Appended) for result in results)
    heads = await log.heads()
    assert sum(heads.values()) - sum(before.values()) == 600
    for shard, head in heads.items():
        records = await log.read(shard, before[shard], 10_000)
        assert [r.position.sequence for r in records] == list(range(before[shard] + 1, head + 1))
        for one, two in zip(records[::2], records[1::2], strict=True):
            assert one.stream == two.stream
            assert (one.version, two.version) == (1, 2)


async def test_a_command_key_works_once(log: EventLog) -> None:
    name, key = stream(), CommandKey(uuid.uuid4().hex, "fingerprint")
    first = await log.append(append(name, 0, b"1", b"2", key=key))
    again = await log.append(append(name, 2, b"3", key=key))
    assert isinstance(first, Appended)
    assert again == Repeated(key, name, 1, 2, first.position)
    assert await log.command(key.key) == again
    assert await log.command("never used") is None
    assert len((await log.load([name]))[name]) == 2


async def test_a_group_accepts_some_and_refuses_others(log: EventLog) -> None:
    old, new = stream(), stream()
    await log.append(append(old, 0, b"1"))
    refused, accepted = await log.append_all([append(old, 0, b"2"), append(new, 0, b"1")])
    assert refused == Refused(old, 0, 1)
    assert isinstance(accepted, Appended)
    assert accepted.version == 1


async def test_reading_goes_on_after_a_sequence_with_a_limit(log: EventLog) -> None:
    name = stream()
    result = await log.append(append(name, 0, *(str(n).encode() for n in range(10))))
    assert isinstance(result, Appended)
    first = result.position.sequence - 9
    records = await log.read(result.position.shard, first - 1, 4)
    assert [record.data for record in records] == [b"0", b"1", b"2", b"3"]
    assert [record.version for record in records] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "bad",
    [
        append("x/1", 0),
        append("", 0, b"1"),
        append("x" * 201, 0, b"1"),
        append("x/1", 0, b"x" * (512 * 1024 + 1)),
        append("x/1", 0, *(b"1" for _ in range(1001))),
    ],
    ids=["no events", "no stream", "long stream", "large event", "many events"],
)
async def test_what_no_log_can_take_is_refused_before_anything_is_stored(log: EventLog, bad: Append) -> None:
    with pytest.raises(ValueError, match=r"append|stream|larger"):
        await log.append(bad)
