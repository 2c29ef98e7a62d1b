"""`portico audit`: what it says, what an auditor takes away, and that he needs nothing of Portico to verify it."""

import ast
import base64
import json
import random
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from chassis.bus import open_producer
from cli.audit.audit import audit_logs, audit_topics
from cli.audit.export import INSTRUCTIONS, Period, export_logs
from cli.main import app
from contracts.seal import FORM
from contracts.topics import SEALS
from tests.sealed import SERVICE, SealedLog, make_history, make_log, relayed, write

PROGRAM = Path(__file__).parents[2] / "examples" / "verify_seals.py"
KEY = Ed25519PrivateKey.generate()


@pytest.fixture
async def sealed(fresh_database: str, kafka_servers: str) -> SealedLog:
    key = base64.b64encode(KEY.private_bytes_raw()).decode()
    made = await make_log(fresh_database, kafka_servers, f"test-{uuid.uuid4().hex[:12]}", key)
    await make_history(made, random.Random(7))
    return made


@pytest.fixture
def places(sealed: SealedLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_DATABASE_URL", sealed.url)
    monkeypatch.setenv("PORTICO_KAFKA_SERVERS", sealed.settings.kafka_servers)
    monkeypatch.setenv("PORTICO_TOPIC_PREFIX", sealed.settings.topic_prefix)


def portico(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: a test is in an event loop already, and a command starts one."""
    command = [sys.executable, "-m", "cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def change(sealed: SealedLog, shard: int, sequence: int) -> None:
    with psycopg.connect(sealed.url) as connection:
        connection.execute("UPDATE events SET data = '{}' WHERE shard = %s AND sequence = %s", (shard, sequence))


@pytest.mark.usefixtures("places")
async def test_verify_says_what_fits_and_names_what_does_not(sealed: SealedLog) -> None:
    public = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
    fits = portico("audit", "verify", "--public-key", public)
    assert (fits.returncode, "events are what they were when they were sealed" in fits.stdout) == (0, True), fits
    assert "no anchor" not in fits.stdout
    change(sealed, 2, 9)
    found = portico("audit", "verify", "--service", SERVICE)
    assert found.returncode == 1
    assert "billing/2:9: changed. data of portico.billing.TestIncreased.v1 of counter/" in found.stdout
    report = json.loads(portico("audit", "verify", "--json").stdout)
    (finding,) = [shard["finding"] for shard in report["shards"] if shard["finding"]]
    assert (report["ok"], finding["position"], finding["what"]) == (False, "billing/2:9", "changed")


@pytest.mark.usefixtures("places")
async def test_the_topic_is_verified_without_a_database(sealed: SealedLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORTICO_DATABASE_URL")
    change(sealed, 2, 9)
    fits = portico("audit", "verify", "--from-topic", "--service", SERVICE, "--json")
    report = json.loads(fits.stdout)
    assert (fits.returncode, report["ok"]) == (0, True)
    assert sum(shard["events"] for shard in report["shards"]) >= 320
    assert all(shard["anchored_to"] == shard["events"] for shard in report["shards"])


@pytest.mark.usefixtures("places")
async def test_a_wrong_key_and_no_database_are_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is not a public key" in portico("audit", "verify", "--public-key", "abc").stderr
    monkeypatch.setenv("PORTICO_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    refused = portico("audit", "verify", "--service", SERVICE)
    assert refused.returncode == 1
    assert "The log of billing cannot be read" in refused.stderr


def test_a_key_pair_fits_together() -> None:
    result: Result = CliRunner().invoke(app, ["audit", "key"])
    values = dict(line.split("=", 1) for line in result.stdout.splitlines())
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(values["PORTICO_SEAL_KEY"]))
    assert private.public_key().public_bytes_raw() == base64.b64decode(values["PORTICO_SEAL_PUBLIC_KEY"])


async def test_repeated_and_foreign_records_on_topics_do_no_harm(sealed: SealedLog) -> None:
    """The relay publishes everything again, and somebody writes nonsense beside the seals."""
    with psycopg.connect(sealed.url) as connection:
        connection.execute("UPDATE relay_cursors SET sequence = 0")
    await relayed(sealed)
    await write(sealed, 40, random.Random(8))
    await relayed(sealed)
    async with open_producer(sealed.settings) as producer:
        for value in (b"nonsense", b'{"service": "billing"}', b'{"shard": 1e99}', None):
            await producer.send_and_wait(sealed.settings.topic(SEALS.name), value, key=b"k", partition=1)
    for report in (
        await audit_logs({SERVICE: sealed.url}, sealed.place, [KEY.public_key()], lambda *_: None),
        await audit_topics([SERVICE], sealed.place, [KEY.public_key()], lambda *_: None),
    ):
        assert report.ok
        assert report.unreadable == 4
        assert sum(verdict.events for verdict in report.verdicts) >= 360


async def test_events_that_are_not_sealed_yet_are_no_finding(sealed: SealedLog) -> None:
    await write(sealed, 40, random.Random(9))
    report = await audit_logs({SERVICE: sealed.url}, sealed.place, [], lambda *_: None)
    assert report.ok
    assert sum(verdict.events - verdict.sealed_to for verdict in report.verdicts) >= 40


async def test_a_topic_that_was_lost_leaves_seals_without_anchors(sealed: SealedLog) -> None:
    lost = sealed.settings.model_copy(update={"topic_prefix": f"{sealed.settings.topic_prefix}-new"})
    fresh = await make_log(sealed.admin, lost.kafka_servers, lost.topic_prefix)
    await write(fresh, 60, random.Random(10))
    await relayed(fresh)
    report = await audit_logs({SERVICE: sealed.url}, fresh.place, [], lambda *_: None)
    assert report.ok
    assert sum(verdict.not_anchored for verdict in report.verdicts) > 0
    assert all(verdict.anchored_to == verdict.events for verdict in report.verdicts)


def contents(folder: Path) -> dict[str, list[str]]:
    """The lines of each file."""
    return {path.name: path.read_text().splitlines() for path in sorted(folder.iterdir())}


def verified(folder: Path, *more: Path) -> tuple[int, str]:
    """By the stand-alone program, in an isolated Python that sees no installed package."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(PROGRAM), str(folder), *map(str, more)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout.strip()


async def test_an_export_is_verified_with_nothing_but_python(sealed: SealedLog, tmp_path: Path) -> None:
    await write(sealed, 20, random.Random(11))
    count = await export_logs({SERVICE: sealed.url}, tmp_path, Period())
    written = contents(tmp_path)
    assert list(written) == [f"billing-{n}.{kind}.jsonl" for n in range(4) for kind in ("events", "seals")]
    assert sum(len(lines) for name, lines in written.items() if ".events." in name) == count >= 340
    code, said = verified(tmp_path)
    assert (code, said.endswith("seals fit")) == (0, True)
    events = tmp_path / "billing-2.events.jsonl"
    whole = events.read_text().splitlines(keepends=True)
    for damaged, words in (
        ([*whole[:8], whole[8].replace("TestIncreased", "TestGreeted"), *whole[9:]], "are not those that were sealed"),
        ([*whole[:8], *whole[9:]], "billing/2:9 is missing"),
        (whole[:30], "the events after 30 are cut off"),
    ):
        events.write_text("".join(damaged))
        code, said = verified(tmp_path)
        assert (code, words in said) == (1, True), said


async def test_a_forged_export_is_found_by_seals_kept_elsewhere(sealed: SealedLog, tmp_path: Path) -> None:
    """The auditor noted the seals at the end of last year; the export was made from a log rewritten since."""
    kept = tmp_path / "kept.jsonl"
    (tmp_path / "before").mkdir()
    await export_logs({SERVICE: sealed.url}, tmp_path / "before", Period())
    kept.write_text("".join(path.read_text() for path in (tmp_path / "before").glob("*.seals.jsonl")))
    change(sealed, 2, 9)
    with psycopg.connect(sealed.url) as connection:
        connection.execute("DELETE FROM seals WHERE shard = 2")
    (tmp_path / "after").mkdir()
    await export_logs({SERVICE: sealed.url}, tmp_path / "after", Period())
    assert verified(tmp_path / "after")[0] == 0
    code, said = verified(tmp_path / "after", kept)
    assert (code, said.startswith("billing/2: the events from 1 to ")) == (1, True)
    assert verified(tmp_path / "before", kept)[0] == 0


async def test_a_part_of_history_is_widened_to_where_seals_end(sealed: SealedLog, tmp_path: Path) -> None:
    with psycopg.connect(sealed.url) as connection:
        (middle,) = connection.execute(
            "SELECT time FROM events WHERE shard = 1 ORDER BY sequence OFFSET 30 LIMIT 1"
        ).fetchone() or (datetime.now(UTC),)
    periods = {"since": Period(since=middle), "until": Period(until=middle), "none": Period(datetime.now(UTC))}
    counts = {}
    for name, period in periods.items():
        (tmp_path / name).mkdir()
        counts[name] = await export_logs({SERVICE: sealed.url}, tmp_path / name, period)
        assert verified(tmp_path / name)[0] == 0
    assert counts["none"] == 0
    assert 0 < counts["since"] < counts["since"] + counts["until"] <= 2 * 325
    lines = (tmp_path / "since" / "billing-1.events.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["sequence"] > 1
    broken = lines[0].replace("TestIncreased", "TestGreeted")
    (tmp_path / "since" / "billing-1.events.jsonl").write_text("\n".join([broken, *lines[1:]]))
    assert verified(tmp_path / "since")[0] == 1


@pytest.mark.usefixtures("places")
async def test_export_explains_itself_and_overwrites_nothing(tmp_path: Path) -> None:
    until = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    done = portico("audit", "export", str(tmp_path / "out"), "--until", until)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "VERIFY.txt").read_text() == INSTRUCTIONS
    again = portico("audit", "export", str(tmp_path / "out"))
    assert (again.returncode, "is not an empty folder" in again.stderr) == (1, True)


def test_the_program_is_short_and_stands_alone() -> None:
    source = PROGRAM.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 60
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported <= set(sys.stdlib_module_names)
    assert f'"{FORM} ' in source
