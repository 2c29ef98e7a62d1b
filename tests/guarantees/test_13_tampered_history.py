"""13: a changed, deleted, reordered, inserted or cut-off event is found by `portico audit verify`, at its position."""

import base64
import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.log import shard_of
from chassis.seals import beginning
from cli.audit.audit import audit_logs
from cli.audit.diagnosis import Finding
from cli.audit.history import COLUMNS, LOWEST, NO_TIME, Stored
from cli.audit.verify import Verdict
from tests.guarantees.plan import Plan
from tests.sealed import SERVICE, SHARDS, SealedLog, make_history, make_log

Admin = psycopg.Connection[tuple[int, ...]]
KEY = Ed25519PrivateKey.generate()
BATCHES, EVENTS = 4, 80
TABLES = ("events", "seals", "heads", "relay_cursors")


@dataclass(frozen=True)
class Crime:
    """What a forger does to a shard around a sequence, and how it must be reported."""

    name: str
    commit: Callable[[Admin, int, int], None]
    what: str


def change(assignment: str) -> Callable[[Admin, int, int], None]:
    statement = "UPDATE events SET " + assignment + " WHERE shard = %s AND sequence = %s"  # noqa: S608

    def commit(admin: Admin, shard: int, at: int) -> None:
        assert admin.execute(statement.encode(), (shard, at)).rowcount == 1

    return commit


def delete(admin: Admin, shard: int, at: int) -> None:
    admin.execute("DELETE FROM events WHERE shard = %s AND sequence = %s", (shard, at))


def move_up(admin: Admin, shard: int, above: int, by: int) -> None:
    """Renumbers what comes after a sequence, and head, cursor and seals with it."""
    for step in (1_000_000, by - 1_000_000):
        admin.execute(
            "UPDATE events SET sequence = sequence + %s WHERE shard = %s AND sequence > %s", (step, shard, above)
        )
    admin.execute("UPDATE heads SET sequence = sequence + %s WHERE shard = %s", (by, shard))
    admin.execute("UPDATE relay_cursors SET sequence = sequence + %s WHERE shard = %s", (by, shard))


def delete_and_close_the_gap(admin: Admin, shard: int, at: int) -> None:
    delete(admin, shard, at)
    move_up(admin, shard, at, -1)


def insert(admin: Admin, shard: int, at: int) -> None:
    move_up(admin, shard, at - 1, 1)
    admin.execute(
        "INSERT INTO events SELECT shard, %s, %s, 1, type, time, metadata, data FROM events "
        "WHERE shard = %s AND sequence = %s",
        (at, stream_in(shard), shard, at - 1),
    )


def stream_in(shard: int) -> str:
    """The name of a stream that belongs to a shard."""
    return next(name for number in range(100) if shard_of(name := f"counter/forged-{number}", SHARDS) == shard)


def swap(distance: int) -> Callable[[Admin, int, int], None]:
    def commit(admin: Admin, shard: int, at: int) -> None:
        for old, new in ((at, 0), (at + distance, at), (0, at + distance)):
            admin.execute("UPDATE events SET sequence = %s WHERE shard = %s AND sequence = %s", (new, shard, old))

    return commit


def cut_off(admin: Admin, shard: int, at: int) -> None:
    admin.execute("DELETE FROM events WHERE shard = %s AND sequence >= %s", (shard, at))
    admin.execute("DELETE FROM seals WHERE shard = %s AND last >= %s", (shard, at))
    for table in (b"heads", b"relay_cursors"):
        admin.execute(b"UPDATE " + table + b" SET sequence = %s WHERE shard = %s", (at - 1, shard))


CRIMES = (
    Crime("data", change("data = replace(convert_from(data, 'UTF8'), '\"by\": ', '\"by\": 9')::bytea"), "changed"),
    Crime("metadata", change("metadata = replace(metadata, 'staff/', 'staff/9')"), "changed"),
    Crime("time", change("time = time - interval '1 microsecond'"), "changed"),
    Crime("type", change("type = 'portico.billing.TestGreeted.v1'"), "changed"),
    Crime("version", change("version = version + 100"), "changed"),
    Crime("stream", change("stream = 'elsewhere/1'"), "changed"),
    Crime("deleted", delete, "deleted"),
    Crime("deleted, gap closed", delete_and_close_the_gap, "deleted"),
    Crime("swapped with the next", swap(1), "reordered"),
    Crime("swapped with a later batch", swap(25), "reordered"),
    Crime("inserted", insert, "inserted"),
    Crime("cut off", cut_off, "cut off"),
)


@pytest.fixture(scope="module")
async def original(database: str, kafka_servers: str) -> SealedLog:
    """A signed history, and beside it what sets it right again after each crime."""
    key = base64.b64encode(KEY.private_bytes_raw()).decode()
    sealed = await make_log(database, kafka_servers, f"test-{uuid.uuid4().hex[:12]}", key)
    await make_history(sealed, random.Random(13), BATCHES, EVENTS)
    with psycopg.connect(sealed.admin, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA kept")
        for table in TABLES:
            admin.execute(f"CREATE TABLE kept.{table} AS TABLE {SERVICE}.{table}".encode())
    return sealed


@contextmanager
def forgeable(original: SealedLog) -> Iterator[tuple[Admin, str]]:
    """The history until it is as it was; the topics are out of reach, for the forger does not get at them."""
    with psycopg.connect(original.admin, autocommit=True, options=f"-c search_path={SERVICE}") as admin:
        try:
            yield admin, original.admin
        finally:
            admin.execute(f"TRUNCATE {', '.join(TABLES)}".encode())
            for table in TABLES:
                admin.execute(f"INSERT INTO {table} TABLE kept.{table}".encode())


def forge_seals(admin: Admin, shard: int) -> None:
    """The forger knows the algorithm: every seal is made to fit what the log says now. He has no key to sign with."""
    rows = admin.execute(COLUMNS.encode(), (NO_TIME, shard, LOWEST, 2**62, 2**31)).fetchall()
    events = [Stored(*row) for row in rows]  # type: ignore[arg-type]
    seals = admin.execute("SELECT first, last FROM seals WHERE shard = %s ORDER BY first", (shard,)).fetchall()
    value = beginning(SERVICE, shard).seal
    for first, last in seals:
        for event in events:
            value = event.after(value) if first <= event.sequence <= last else value
        admin.execute("UPDATE seals SET seal = %s WHERE shard = %s AND first = %s", (value, shard, first))


async def findings(original: SealedLog, url: str, *, anchors: bool = True, signed: bool = False) -> dict[int, Finding]:
    keys = [KEY.public_key()] if signed else []
    report = await audit_logs({SERVICE: url}, original.place if anchors else None, keys, lambda *_: None)
    return {one.shard: one.finding for one in report.verdicts if one.finding}


def somewhere(admin: Admin, rng: random.Random) -> tuple[int, int]:
    """A shard, and a sequence in the middle of one of its batches but the last."""
    seals = admin.execute("SELECT shard, first, last FROM seals WHERE last - first > 4").fetchall()
    last = dict(admin.execute("SELECT shard, max(last) FROM seals GROUP BY shard").fetchall())
    shard, first, end = rng.choice([seal for seal in seals if seal[2] != last[seal[0]]])
    return shard, rng.randint(first + 1, end - 2)


async def test_an_untouched_history_fits(original: SealedLog, plan: Plan) -> None:
    started = time.monotonic()
    report = await audit_logs({SERVICE: original.url}, original.place, [KEY.public_key()], lambda *_: None)
    seconds = time.monotonic() - started
    assert report.ok
    events = sum(verdict.events for verdict in report.verdicts)
    assert events >= BATCHES * EVENTS
    assert all(_complete(verdict) for verdict in report.verdicts)
    plan.tell(events=events, events_verified_per_s=int(events / seconds))


def _complete(verdict: Verdict) -> bool:
    ends = {verdict.events, verdict.sealed_to, verdict.anchored_to, verdict.signed_to}
    return len(ends) == 1 and verdict.not_anchored == 0


@pytest.mark.parametrize("crime", CRIMES, ids=lambda crime: crime.name)
async def test_each_crime_is_found_at_its_position(original: SealedLog, crime: Crime, plan: Plan) -> None:
    """With the seals table as it was, and with seals that the forger made to fit."""
    for forged in (False, True):
        with forgeable(original) as (admin, url):
            shard, at = somewhere(admin, plan.rng)
            crime.commit(admin, shard, at)
            if forged:
                forge_seals(admin, shard)
            found = await findings(original, url)
            assert set(found) == {shard}
            assert (found[shard].sequence, found[shard].what) == (at, crime.what), found[shard]
            plan.tell(**{f"{'seals_forged' if forged else 'seals_kept'}": f"{crime.what} at {shard}:{at}"})


async def test_an_event_that_was_never_published_is_found(original: SealedLog, plan: Plan) -> None:
    """It is appended behind the relay's back, with head, cursor and a seal of its own."""
    with forgeable(original) as (admin, url):
        ((end,),) = admin.execute("SELECT sequence FROM heads WHERE shard = 1").fetchall()
        insert(admin, 1, end + 1)
        admin.execute("INSERT INTO seals SELECT 1, %s, %s, seal, NULL, now() FROM seals LIMIT 1", (end + 1, end + 1))
        forge_seals(admin, 1)
        found = await findings(original, url)
        assert {shard: (one.sequence, one.what) for shard, one in found.items()} == {1: (end + 1, "seal not published")}
        plan.tell(found=f"at 1:{end + 1}")


async def test_a_changed_seal_is_told_from_changed_events(original: SealedLog, plan: Plan) -> None:
    """The seals table alone was altered, in four ways; the events are as they were."""
    told = []
    for crime, what in (
        ("UPDATE seals SET seal = sha256(seal) WHERE shard = %s AND first = %s", "seal changed"),
        ("DELETE FROM seals WHERE shard = %s AND first = %s", "seal missing"),
        ("DELETE FROM seals WHERE shard = %s AND first >= %s", "seal missing"),
        ("DELETE FROM seals WHERE shard = %s AND first <= %s", "seal missing"),
    ):
        with forgeable(original) as (admin, url):
            shard, first, least = plan.rng.choice(
                admin.execute("SELECT shard, first, min(first) OVER (PARTITION BY shard) FROM seals").fetchall()
            )
            assert admin.execute(crime.encode(), (shard, first)).rowcount
            found = (await findings(original, url))[shard]
            assert (found.sequence, found.what) == (least if "<=" in crime else first, what), found
            told.append(f"{what} at {shard}:{found.sequence}")
    plan.tell(of_4_found=", ".join(told))


async def test_seals_cut_into_smaller_ones_do_not_hide_where(original: SealedLog, plan: Plan) -> None:
    """A forger who changes an event and writes a fitting seal for every single event misleads nobody."""
    with forgeable(original) as (admin, url):
        shard, at = somewhere(admin, plan.rng)
        CRIMES[0].commit(admin, shard, at)
        admin.execute("DELETE FROM seals WHERE shard = %s", (shard,))
        admin.execute(
            "INSERT INTO seals SELECT shard, sequence, sequence, '', NULL, now() FROM events WHERE shard = %s", (shard,)
        )
        forge_seals(admin, shard)
        found = (await findings(original, url))[shard]
        assert (found.sequence, found.what) == (at, "changed")
        plan.tell(found=f"at {shard}:{at}")


async def test_without_topics_a_signature_stops_the_forger(original: SealedLog, plan: Plan) -> None:
    """Kafka is gone: forged seals fit, but are not signed, or by somebody else's key; kept seals name the batch."""
    with forgeable(original) as (admin, url):
        shard, at = somewhere(admin, plan.rng)
        CRIMES[0].commit(admin, shard, at)
        kept = (await findings(original, url, anchors=False))[shard]
        assert kept.what == "changed"
        assert kept.sequence <= at <= (kept.until or 0)
        forge_seals(admin, shard)
        assert await findings(original, url, anchors=False) == {}
        wrong = (await findings(original, url, anchors=False, signed=True))[shard]
        assert (wrong.sequence, wrong.what) == (kept.sequence, "signature wrong")
        admin.execute("UPDATE seals SET signature = NULL WHERE shard = %s", (shard,))
        missing = (await findings(original, url, anchors=False, signed=True))[shard]
        assert (missing.what, missing.sequence) == ("signature missing", 1)
        plan.tell(crime=f"at {shard}:{at}", batch=f"{kept.sequence} to {kept.until}")


async def test_what_is_outside_the_chain_is_found_too(original: SealedLog, plan: Plan) -> None:
    """An event below the first sequence, in a shard that does not exist, or above the head."""
    copy = "INSERT INTO events SELECT %s, %s, 'counter/x', 1, type, time, metadata, data FROM events LIMIT 1"
    places = ((2, 0), (2, -5), (7, 1), (3, 1_000_000))
    for shard, sequence in places:
        with forgeable(original) as (admin, url):
            admin.execute(copy, (shard, sequence))
            found = (await findings(original, url))[shard]
            if sequence == 1_000_000:
                ((head,),) = admin.execute("SELECT sequence FROM heads WHERE shard = 3").fetchall()
                assert (found.sequence, found.what) == (head + 1, "deleted")
            else:
                assert (found.sequence, found.what) == (sequence, "inserted")
    plan.tell(events_outside=len(places), found=len(places))
