"""Shows that the guarantees can fail: takes away one mechanism at a time, in a copy, and runs the test of it.

`python -m tests.guarantees.mutations [WORD ...]` (`make mutations`) writes a table into docs/guarantees.md; with words
only those mechanisms are tried whose names hold one of them, and the other rows stay.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.stack.kafka import kafka
from cli.stack.ports import free_port
from cli.stack.postgres import postgres
from tests.conftest import KEPT_BY_THE_SYSTEM

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guarantees.md"
TABLE = re.compile(r"(?<=<!-- mutations -->\n).*(?=<!-- /mutations -->)", re.DOTALL)
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "node_modules")
TEST_SECONDS = 100
WAIT_SECONDS = 20
LOG = "chassis/migrations/versions/0001_chassis.py"
MOVES = "{batch.partition: batch.now for batch in batches}"


@dataclass(frozen=True)
class Mutation:
    """A mechanism, the test that must notice when it is missing, what shows then (and by which pattern in the test's
    output), and the lines that take it away: file, before, after."""

    mechanism: str
    test: str
    shows: str
    symptom: str
    lines: tuple[tuple[str, str, str], ...]


MUTATIONS = (
    Mutation(
        "an append locks the heads of its shards",
        "test_02_parallel_appends.py::test_one_of_twenty",
        "two appends get the same sequence",
        "UniqueViolation",
        ((LOG, "    PERFORM FROM heads h WHERE h.shard = ANY (p_shards) ORDER BY h.shard FOR UPDATE;\n", ""),),
    ),
    Mutation(
        "an append checks the version of its stream",
        "test_02_parallel_appends.py::test_one_of_twenty",
        "two events get the same version",
        "UniqueViolation",
        ((LOG, "WHERE NOT i.repeated AND i.actual = i.expected", "WHERE NOT i.repeated"),),
    ),
    Mutation(
        "a key that was used before is noticed",
        "test_02_parallel_appends.py::test_successes",
        "a command that is sent twice happens twice",
        r"assert \('billing",
        ((LOG, "coalesce((SELECT true FROM commands c WHERE c.key = u.key), false)", "false"),),
    ),
    Mutation(
        "sequences are handed out under the lock, without gaps",
        "test_01_interleaved_appends.py",
        "a reader sees a gap",
        r"assert \[2\] == \[1\]",
        ((LOG, "SELECT i.*, h.sequence + sum(i.n)", "SELECT i.*, 1 + h.sequence + sum(i.n)"),),
    ),
    Mutation(
        "the relay saves its cursor after Kafka has the records",
        "test_03_relay_killed.py::test_nothing",
        "events never reach the topic",
        "not settled",
        (
            (
                "chassis/relay.py",
                "        await self._publish(pages, seals, producer)\n        await reach(Point.RELAY_AFTER_SEND)\n",
                "",
            ),
            (
                "chassis/relay.py",
                "        await save(session, published, seals)\n",
                "        await save(session, published, seals)\n"
                "        await reach(Point.RELAY_AFTER_SEND)\n"
                "        await self._publish(pages, seals, producer)\n",
            ),
        ),
    ),
    Mutation(
        "a consumer drops duplicates",
        "test_03_relay_killed.py::test_nothing",
        "a view counts events twice",
        r"documents: \(shown, expected\)",
        (("chassis/gaps.py", "            duplicates += 1\n", "            batch.append(record)\n"),),
    ),
    Mutation(
        "a consumer stops at a missing sequence",
        "test_03_relay_killed.py::test_a_record",
        "the partition goes on past the loss",
        "the last answer was False",
        (("chassis/gaps.py", "elif found == sequence + 1:", "elif found is not None and found > sequence:"),),
    ),
    Mutation(
        "the checkpoint is saved in the transaction of the effect",
        "test_04_consumer_killed.py",
        "events are applied twice",
        r"documents: \(shown, expected\)|defaultdict",
        (
            ("chassis/applier.py", f"            await self.checkpoints.save(connection, {MOVES})\n", ""),
            (
                "chassis/applier.py",
                "        await reach(Point.CONSUMER_AFTER_COMMIT)\n",
                "        await reach(Point.CONSUMER_AFTER_COMMIT)\n"
                "        async with self._pool.connection() as own:\n"
                f"            await self.checkpoints.save(own, {MOVES})\n",
            ),
        ),
    ),
    Mutation(
        "an advisory lock elects the relay of a shard",
        "test_05_two_relays.py::test_each_shard",
        "two relays publish the same, and their seals collide",
        r"assert \d+ == 0|seals_pkey",
        (("chassis/relay.py", "AND pg_try_advisory_lock(hashtext('portico.relay.' || %s), shard)", "AND %s <> ''"),),
    ),
    Mutation(
        "a relay that stands still loses its lock",
        "test_05_two_relays.py::test_the_other_takes_over_when_a_relay",
        "nobody publishes its shards",
        "not within",
        (("chassis/relay.py", "idle_session_timeout={SESSION_SECONDS}s", "idle_session_timeout=0"),),
    ),
    Mutation(
        "a checkpoint fences whoever had the partition before",
        "test_06_rebalance_storm.py::test_a_consumer_that_stood_still_between",
        "the one that woke up applies its batch once more",
        r"documents: \(shown, expected\)|defaultdict",
        (
            ("chassis/checkpoints.py", " or rows[partition][0] != mine[partition].fence:", ":"),
            ("chassis/checkpoints.py", "if sequence != mine[partition].saved:", "if sequence < 0:"),
        ),
    ),
    Mutation(
        "an instance that stands still loses its share",
        "test_06_rebalance_storm.py::test_a_consumer_that_stood_still_between",
        "nobody goes on with its partitions",
        "not within",
        (("chassis/shares.py", "idle_session_timeout={milliseconds}", "idle_session_timeout=0"),),
    ),
    Mutation(
        "who stands behind what is kept for all reads by himself",
        "test_10_rebuild_under_load.py::test_nobody",
        "a rebuild never catches up",
        "not within",
        (("chassis/feed.py", "if place < self._feed.tails[p].start}", "if place < 0}"),),
    ),
    Mutation(
        "a transaction that stands still ends",
        "test_06_rebalance_storm.py::test_a_consumer_that_stood_still_in",
        "its locks keep everybody else out",
        "TimeoutError",
        (("chassis/database.py", "TRANSACTION_IDLE_MS = 10_000", "TRANSACTION_IDLE_MS = 0"),),
    ),
    Mutation(
        "records count as sent when Kafka says so (acks=all, idempotent)",
        "test_07_servers_die.py::test_kafka",
        "acknowledged records are missing in the topic",
        "not settled",
        (
            ("chassis/bus.py", '        acks="all",\n', "        acks=0,\n"),
            ("chassis/bus.py", "        enable_idempotence=True,\n", ""),
        ),
    ),
    Mutation(
        "a consumer looks whether its checkpoints are still where it left them",
        "test_07_servers_die.py::test_what_postgres_forgot",
        "what PostgreSQL forgot of a view stays away until something new comes",
        "not settled",
        (("chassis/consumer.py", "        if moved or not self._joined", "        if not self._joined"),),
    ),
    Mutation(
        "a batch is one transaction",
        "test_08_stopped_politely.py",
        "effects stay without their checkpoint",
        "AssertionError",
        (
            (
                "chassis/applier.py",
                "        async with self._pool.connection() as connection, connection.transaction():\n"
                "            waiting = await",
                "        async with self._pool.connection() as connection:\n            waiting = await",
            ),
        ),
    ),
    Mutation(
        "records behind a parked one wait",
        "test_09_poison_event.py",
        "an event overtakes the one it waits for",
        r"assert \d+ == \(\d+ - 3\)",
        (
            (
                "chassis/checkpoints.py",
                "return frozenset(stream for _, _, parked in rows.values() for stream in parked)",
                "return frozenset()",
            ),
        ),
    ),
    Mutation(
        "a batch looks for parked streams when it has its lock",
        "test_09_poison_event.py",
        "a stream is parked again behind nothing",
        r"assert \[\{'consumer'",
        (
            (LOG, "c.partition = p_partition\n    FOR UPDATE;\n", "c.partition = p_partition;\n"),
            (LOG, "c.partition = p_partition;\nEND $$;", "c.partition = p_partition FOR UPDATE;\nEND $$;"),
        ),
    ),
    Mutation(
        "what cannot be applied is parked and not passed over",
        "test_15_bad_input.py::test_malformed",
        "malformed records vanish",
        "assert 0 ==",
        (
            (
                "chassis/applier.py",
                "failures[self.source.stream(records[0])] = _Failure(records[0], reason(error))",
                "log.error(reason(error))",
            ),
        ),
    ),
    Mutation(
        "nesting of JSON is bounded",
        "test_15_bad_input.py::test_bad_requests",
        "the parser is the one who stops it",
        "AssertionError: nested",
        (("chassis/http/boundary.py", "MAXIMUM_DEPTH = 64", "MAXIMUM_DEPTH = 10_000_000"),),
    ),
    Mutation(
        "a database that refuses is answered with 503",
        "test_23_disk_full.py::test_a_server_that_says_so",
        "an internal error, as if it were a defect",
        "internal_error",
        (
            (
                "chassis/http/problems.py",
                "(Unavailable, psycopg.OperationalError, KafkaError,",
                "(Unavailable, KafkaError,",
            ),
        ),
    ),
    Mutation(
        "an answer begins in time",
        "test_24_pool_exhausted.py",
        "requests wait as long as the lock is held",
        "ReadTimeout",
        (
            (
                "chassis/http/boundary.py",
                "path.startswith(prefix)), self.answer_seconds)",
                "path.startswith(prefix)), 1e6)",
            ),
        ),
    ),
)


@dataclass(frozen=True)
class Verdict:
    """Whether the test failed for the reason that it should, and after how many seconds."""

    mutation: Mutation
    caught: bool
    seconds: float


def main(words: list[str]) -> int:
    chosen = [m for m in MUTATIONS if not words or any(word in m.mechanism for word in words)]
    with servers() as environment:
        for test in sorted({mutation.test for mutation in chosen}):
            status, output = run(ROOT, test, environment)
            if status:
                sys.exit(f"{test} fails without any mutation:\n{output[-4_000:]}")
            say(f"passes as it is: {test}")
        verdicts = [judge(mutation, environment) for mutation in chosen]
    text = PAGE.read_text()
    PAGE.write_text(TABLE.sub(lambda found: table(verdicts, found.group()), text))
    return sum(not verdict.caught for verdict in verdicts)


def judge(mutation: Mutation, environment: dict[str, str]) -> Verdict:
    """Runs the test in a copy in which the mechanism is missing."""
    with tempfile.TemporaryDirectory(prefix="portico-mutation-") as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        for file, before, after in mutation.lines:
            take_away(copy / file, before, after)
        started = time.monotonic()
        status, output = run(copy, mutation.test, environment)
    caught = status == 1 and re.search(mutation.symptom, output) is not None
    verdict = Verdict(mutation, caught, time.monotonic() - started)
    say(f"{'caught' if caught else 'NOT CAUGHT'} in {verdict.seconds:.0f} s: {mutation.mechanism}")
    if not caught:
        say(output[-4_000:])
    return verdict


def take_away(path: Path, before: str, after: str) -> None:
    """Raises ValueError when the lines are not there exactly once: the mutation must be written anew."""
    text = path.read_text()
    if text.count(before) != 1:
        raise ValueError(f"{path.name} has {text.count(before)} times: {before!r}")
    path.write_text(text.replace(before, after))


def run(tree: Path, test: str, environment: dict[str, str]) -> tuple[int, str]:
    file, _, name = test.partition("::")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"--timeout={TEST_SECONDS}"]
    done = subprocess.run(
        [*command, f"tests/guarantees/{file}", *(("-k", name) if name else ())],
        cwd=tree,
        env={**os.environ, **environment, "PYTHONPATH": str(tree), "PORTICO_GUARANTEES_WAIT": str(WAIT_SECONDS)},
        capture_output=True,
        text=True,
        timeout=3 * TEST_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """PostgreSQL and Kafka for all runs."""
    with (
        tempfile.TemporaryDirectory(prefix="portico-mutations-") as folder,
        postgres(Path(folder), free_port(), **KEPT_BY_THE_SYSTEM) as database,
        kafka(Path(folder)) as broker,
    ):
        yield {"PORTICO_TEST_DATABASE_URL": database.url(), "PORTICO_TEST_KAFKA_SERVERS": broker.servers}


def table(verdicts: list[Verdict], before: str) -> str:
    """The rows in the order of MUTATIONS; those that were not tried now are taken from the table as it was."""
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in before.splitlines() if line.startswith("| ")}
    for verdict in verdicts:
        mutation, caught = verdict.mutation, "yes" if verdict.caught else "**no**"
        cells = mutation.mechanism, mutation.shows, f"`{mutation.test.partition('::')[0].removesuffix('.py')}`"
        rows[mutation.mechanism] = f"| {' | '.join(cells)} | {caught}, {verdict.seconds:.0f} s |"
    kept = [rows[mutation.mechanism] for mutation in MUTATIONS if mutation.mechanism in rows]
    return "\n".join(["| taken away | what happens then | test | caught |", "|---|---|---|---|", *kept, ""])


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
