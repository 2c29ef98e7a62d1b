"""The chain changes with every bit, does not care where batches were cut, and never forks."""

import base64
import random
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from psycopg import AsyncConnection
from pydantic import ValidationError

from chassis import failpoints
from chassis.database import open_pool
from chassis.postgres_log import PostgresLog
from chassis.seals import Link, Notary, beginning, chained, is_signed, link, save
from chassis.settings import Settings
from contracts.envelope import Metadata, Record
from contracts.ids import Position
from contracts.seal import Seal
from tests.sealed import SERVICE, SHARDS, SealedLog, make_log, relayed, write

START = beginning(SERVICE, 2)
SIGNED, LONG = range(-(2**31), 2**31), range(-(2**63), 2**63)
Facts = tuple[int, int, int, bytes, bytes, bytes, bytes]
numbers = st.tuples(*(st.integers(one[0], one[-1]) for one in (LONG, SIGNED, LONG)))
texts = st.tuples(*(st.binary(max_size=40) for _ in range(4)))
facts = st.builds(lambda some, more: (*some, *more), numbers, texts)
batches = st.lists(facts, min_size=1, max_size=6)


def sealed(events: list[Any]) -> bytes:
    value = START.seal
    for event in events:
        value = link(value, *event)
    return value


@given(batches, st.data())
def test_a_single_bit_changes_the_seal(batch: list[Facts], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(batch) - 1))
    flippable = [number for number, value in enumerate(batch[at]) if not isinstance(value, bytes) or value]
    fact = data.draw(st.sampled_from(flippable))
    changed: list[Any] = list(batch[at])
    if fact < 3:
        size = 4 if fact == 1 else 8
        raw = bytearray(changed[fact].to_bytes(size, "big", signed=True))
    else:
        raw = bytearray(changed[fact])
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    changed[fact] = int.from_bytes(raw, "big", signed=True) if fact < 3 else bytes(raw)
    assert sealed([*batch[:at], tuple(changed), *batch[at + 1 :]]) != sealed(batch)


@given(batches, batches)
def test_different_batches_have_different_seals(one: list[Facts], other: list[Facts]) -> None:
    assert (sealed(one) == sealed(other)) == (one == other)


@given(facts, st.integers(3, 5), st.integers(1, 40))
def test_nothing_moves_between_fields(event: Facts, field: int, count: int) -> None:
    moved: list[Any] = list(event)
    moved[field], moved[field + 1] = moved[field][:-count], moved[field][-count:] + moved[field + 1]
    assert (sealed([tuple(moved)]) == sealed([event])) == (tuple(moved) == event)


def test_a_chain_belongs_to_its_shard() -> None:
    begun = [beginning(*place) for place in (("billing", 1), ("billing", 11), ("portal", 1), ("billing", 1, 1))]
    assert len({one.seal for one in begun}) == len(begun)


def records(first: int, count: int) -> list[Record]:
    time = datetime(2026, 11, 21, tzinfo=UTC)
    return [
        Record(
            Position(SERVICE, 2, number),
            f"counter/{number}",
            1,
            "portico.billing.TestIncreased.v1",
            time + timedelta(microseconds=number),
            Metadata(actor="staff/anna"),
            b'{"by": %d}' % number,
        )
        for number in range(first, first + count)
    ]


@given(st.integers(0, 20))
def test_where_batches_are_cut_does_not_matter(cut: int) -> None:
    whole = records(1, 20)
    assert chained(chained(START.seal, whole[:cut]), whole[cut:]) == chained(START.seal, whole)


def test_only_what_is_not_sealed_yet_is_sealed() -> None:
    notary = Notary(SERVICE, None)
    first = notary.seal(2, START, records(1, 10))
    assert first
    assert (first.first, first.last, first.signature) == (1, 10, "")
    behind = Link(first.last, bytes.fromhex(first.seal))
    assert notary.seal(2, behind, records(4, 7)) is None
    more = notary.seal(2, behind, records(4, 12))
    assert more
    assert (more.first, more.last) == (11, 15)
    assert bytes.fromhex(more.seal) == chained(START.seal, records(1, 15))


def test_a_signature_covers_everything_that_a_seal_says() -> None:
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    seal = Notary(SERVICE, key.private_bytes_raw()).seal(2, START, records(1, 3))
    assert seal
    assert is_signed(seal, [other.public_key(), key.public_key()])
    assert not is_signed(seal, [other.public_key()])
    again = Seal.model_validate_json(seal.model_dump_json())
    assert again == seal
    for change in (
        {"service": "portal"},
        {"shard": 3},
        {"first": 2},
        {"last": 4},
        {"seal": "0" * 64},
        {"sealed_at": seal.sealed_at + timedelta(microseconds=1)},
        {"signature": ""},
        {"signature": "?"},
    ):
        assert not is_signed(seal.model_copy(update=change), [key.public_key()]), change


@pytest.mark.parametrize("key", ["x", base64.b64encode(b"short").decode()])
def test_a_key_that_is_none_is_refused_at_the_start(key: str) -> None:
    given = {"database_url": "postgresql://", "kafka_servers": "k", "master_key": base64.b64encode(b"k" * 32)}
    assert Settings.model_validate(given).seal_key_bytes is None
    with pytest.raises(ValidationError, match="seal_key"):
        Settings.model_validate({**given, "seal_key": key})


@pytest.fixture
async def empty(fresh_database: str, kafka_servers: str) -> SealedLog:
    return await make_log(fresh_database, kafka_servers, f"test-{uuid.uuid4().hex[:12]}")


@pytest.fixture
async def session(empty: SealedLog) -> AsyncIterator[AsyncConnection[Any]]:
    async with await AsyncConnection.connect(empty.url, autocommit=True) as connection:
        yield connection


async def rows(session: AsyncConnection[Any], statement: str) -> list[tuple[Any, ...]]:
    return await (await session.execute(statement.encode())).fetchall()


SEALS = "SELECT shard, first, last, seal FROM seals ORDER BY shard, first"
CURSORS = "SELECT shard, sequence FROM relay_cursors ORDER BY shard"


async def test_only_one_seal_follows_another_and_the_cursor_stays_with_it(session: AsyncConnection[Any]) -> None:
    notary = Notary(SERVICE, None)
    ours, theirs = notary.seal(2, START, records(1, 5)), notary.seal(2, START, records(1, 9))
    assert ours
    assert theirs
    await save(session, {2: 5}, [ours])
    with pytest.raises(psycopg.errors.UniqueViolation):
        await save(session, {2: 9}, [theirs])
    assert (await rows(session, CURSORS))[2] == (2, 5)
    assert await rows(session, SEALS) == [(2, 1, 5, bytes.fromhex(ours.seal))]
    assert (await notary.links(session, {1: 0, 2: 5}))[2] == Link(5, bytes.fromhex(ours.seal))


async def whole(empty: SealedLog, session: AsyncConnection[Any]) -> None:
    """Every shard has one unbroken chain over all of its events."""
    found = await rows(session, SEALS)
    async with open_pool(empty.url, 2) as pool:
        log = await PostgresLog.connect(SERVICE, pool)
        for shard in range(SHARDS):
            last, value = 0, beginning(SERVICE, shard).seal
            for _, first, end, seal in (row for row in found if row[0] == shard):
                assert first == last + 1
                value = chained(value, await log.read(shard, last, end - last))
                assert value == seal
                last = end
            assert last == (await log.heads())[shard]


async def test_a_relay_that_fails_anywhere_goes_on_with_the_same_chain(
    empty: SealedLog, session: AsyncConnection[Any]
) -> None:
    points = ("relay.before_send", "relay.after_send", "relay.before_save", "relay.after_save")
    try:
        for number, point in enumerate(points):
            await write(empty, 40, random.Random(number))
            failpoints.arm(f"{point}=error@2")
            await relayed(empty)
            await whole(empty, session)
    finally:
        failpoints.arm("")


async def test_a_cursor_that_is_set_back_adds_no_seal(empty: SealedLog, session: AsyncConnection[Any]) -> None:
    await write(empty, 60, random.Random(1))
    await relayed(empty)
    before = await rows(session, SEALS)
    await session.execute("UPDATE relay_cursors SET sequence = 0")
    await relayed(empty)
    assert await rows(session, SEALS) == before
    await write(empty, 60, random.Random(2))
    await session.execute("UPDATE relay_cursors SET sequence = 3")
    await relayed(empty)
    await whole(empty, session)


async def test_a_log_older_than_seals_begins_its_chain_at_the_cursor(
    empty: SealedLog, session: AsyncConnection[Any]
) -> None:
    await write(empty, 60, random.Random(1))
    await relayed(empty)
    await session.execute("TRUNCATE seals")
    cursors = dict(await rows(session, CURSORS))
    await write(empty, 60, random.Random(2))
    await relayed(empty)
    async with open_pool(empty.url, 2) as pool:
        log = await PostgresLog.connect(SERVICE, pool)
        for shard, first, last, seal in await rows(session, SEALS):
            assert first == cursors[shard] + 1
            older = beginning(SERVICE, shard, cursors[shard])
            assert chained(older.seal, await log.read(shard, cursors[shard], last - first + 1)) == seal


async def test_seals_that_lag_behind_the_cursor_catch_up(empty: SealedLog, session: AsyncConnection[Any]) -> None:
    """As after an older version of the relay was at work for a while."""
    for number in (1, 2):
        await write(empty, 60, random.Random(number))
        await relayed(empty)
    await session.execute("DELETE FROM seals WHERE first > 1")
    await relayed(empty)
    await whole(empty, session)
