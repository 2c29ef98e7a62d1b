"""Commands on streams: optimistic retries, keys that work once, versions that must match, and folds that agree."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.decider import Decider, Do
from chassis.errors import Conflict, PreconditionFailed, Rejected
from chassis.keyring import MemoryKeyring, Sealer
from chassis.log import Append, CommandKey, MemoryLog, Refused, Result
from chassis.streams import ATTEMPTS, Request, Streams
from contracts.base import Event
from contracts.envelope import Metadata
from tests.chassis.events import COUNTER, Increased

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def limited(by: int, total: int) -> list[Event]:
    if total + by > 10:
        raise Rejected("above_limit", limit=10)
    return [Increased(by=by)] if by else []


LIMITED = Decider("limited", 0, limited, COUNTER.evolve)


@pytest.fixture
def streams() -> Streams:
    return Streams(MemoryLog("billing"), Sealer(MemoryKeyring()), lambda: NOW)


async def test_a_command_is_decided_on_the_state_so_far(streams: Streams) -> None:
    await streams.execute(LIMITED, "1", 7)
    with pytest.raises(Rejected) as refused:
        await streams.execute(LIMITED, "1", 4)
    assert (refused.value.code, refused.value.facts) == ("above_limit", {"limit": 10})
    assert (await streams.load(LIMITED, "1")).state == 7


async def test_a_command_without_consequences_tells_where_the_stream_stands(streams: Streams) -> None:
    first = await streams.execute(LIMITED, "1", 7)
    nothing = await streams.execute(LIMITED, "1", 0)
    assert (nothing.events, nothing.position, nothing.version) == ((), first.position, 1)
    assert (await streams.execute(LIMITED, "2", 0)).position.sequence == 0


async def test_parallel_commands_are_all_decided_one_after_the_other(streams: Streams) -> None:
    results = await asyncio.gather(*(streams.execute(LIMITED, "1", 3) for _ in range(ATTEMPTS)), return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in results) == 3
    assert (await streams.load(LIMITED, "1")).state == 9


async def test_a_key_yields_what_it_yielded_even_when_the_rules_would_now_refuse(streams: Streams) -> None:
    request = Request(key=CommandKey("k", "f"))
    first = await streams.execute(LIMITED, "1", 7, request)
    again = await streams.execute(LIMITED, "1", 7, request)
    assert again.repeated
    assert (again.events, again.position, again.version) == (first.events, first.position, first.version)
    assert (await streams.load(LIMITED, "1")).version == 1


async def test_a_key_of_another_request_is_refused(streams: Streams) -> None:
    await streams.execute(LIMITED, "1", 1, Request(key=CommandKey("k", "f")))
    with pytest.raises(Rejected) as refused:
        await streams.execute(LIMITED, "1", 2, Request(key=CommandKey("k", "other")))
    assert refused.value.code == "idempotency_key_reused"


async def test_a_command_for_another_version_is_refused(streams: Streams) -> None:
    await streams.execute(LIMITED, "1", 1, Request(expected_version=0))
    with pytest.raises(PreconditionFailed) as failed:
        await streams.execute(LIMITED, "1", 1, Request(expected_version=0))
    assert (failed.value.expected, failed.value.actual) == (0, 1)


class AlwaysFirst(MemoryLog):
    """A log in which somebody else is always faster."""

    async def append(self, append: Append) -> Result:
        return Refused(append.stream, append.expected, append.expected + 1)


async def test_retries_end(streams: Streams) -> None:
    streams.log = AlwaysFirst("billing")
    with pytest.raises(Conflict):
        await streams.execute(LIMITED, "1", 1)


async def test_commands_in_one_transaction_see_each_other(streams: Streams) -> None:
    commands = [Do(LIMITED, "1", 6), Do(LIMITED, "2", 1), Do(LIMITED, "1", 5), Do(LIMITED, "1", 4)]
    results: Sequence[Any] = await streams.execute_all(commands, connection=None)  # type: ignore[arg-type]
    assert [getattr(result, "code", None) for result in results] == [None, None, "above_limit", None]
    assert [(await streams.load(LIMITED, id_)).state for id_ in ("1", "2")] == [10, 1]
    assert results[0].position == results[3].position == (await streams.load(LIMITED, "1")).position


async def test_why_and_by_whom_is_kept_for_each_command(streams: Streams) -> None:
    metadata = [Metadata(actor="a", causation_id="x/0:1"), Metadata(actor="b")]
    commands = [Do(LIMITED, "1", by, one) for by, one in zip((1, 2), metadata, strict=True)]
    await streams.execute_all(commands, connection=None)  # type: ignore[arg-type]
    history = await streams.history("limited/1")
    assert [envelope.metadata for envelope in history] == metadata
    assert {envelope.time for envelope in history} == {NOW}


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-5, 8), max_size=30))
async def test_a_replay_is_what_the_increments_gave(commands: list[int]) -> None:
    streams = Streams(MemoryLog("billing"), Sealer(MemoryKeyring()), lambda: NOW)
    id_, total = uuid.uuid4().hex, 0
    for by in commands:
        try:
            outcome = await streams.execute(LIMITED, id_, by)
        except Rejected:
            continue
        total = LIMITED.fold(total, outcome.events)
    assert (await streams.load(LIMITED, id_)).state == total
