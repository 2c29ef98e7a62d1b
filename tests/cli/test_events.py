"""`portico events` on a real broker: what it shows, where it begins and ends, and that nobody else notices."""

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from typer.testing import CliRunner, Result

from chassis.log import shard_of
from chassis.topics import ensure_topics
from cli.main import app
from cli.stack.ports import free_port
from contracts.envelope import Metadata, Record
from contracts.ids import Position, stream
from contracts.topics import Topic
from services.identity.reveals.api import Revealed, Wanted

SHARDS = 2
START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
CONTRACT = stream("instalments", "8a1f3f52-7f7e-5f43-9d0c-2f1f4f0f9b02")
BOX = {"sealed": "contact/1", "box": "AAAA"}
LIMIT_SECONDS = 30


class Topics:
    """Topics of one test, with events in them as the relay publishes them."""

    shards = SHARDS
    topic_replicas = 1

    def __init__(self, servers: str, prefix: str) -> None:
        self.kafka_servers = servers
        self.prefix = prefix
        self.published: list[Record] = []

    def make(self, *services: str) -> None:
        asyncio.run(ensure_topics(self, [Topic(service, "", {}) for service in services]))

    def topic(self, name: str) -> str:
        return f"{self.prefix}.{name}"

    def event(self, service: str, type_: str, stream_: str, minutes: float, data: Any) -> Record:
        shard = shard_of(stream_, SHARDS)
        before = [
            one.position for one in self.published if (one.position.service, one.position.shard) == (service, shard)
        ]
        version = 1 + sum(one.stream == stream_ for one in self.published)
        position = Position(service, shard, len(before) + 1)
        time_ = START + timedelta(minutes=minutes)
        full = f"portico.{service}.{type_}.v1"
        record = Record(position, stream_, version, full, time_, Metadata(actor="staff/anna"), orjson.dumps(data))
        self.published.append(record)
        return record

    def publish(self, *records: Record) -> None:
        for record in records:
            self.put(record.position, record.data, record.headers(), record.stream.encode(), record.time)

    def put(
        self,
        at: Position,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
        key: bytes,
        when: datetime = START,
    ) -> None:
        asyncio.run(self._put(at, value, list(headers), key, int(when.timestamp() * 1000)))

    def run(self, *arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(app, ["events", *arguments], env={**self.environment, **environment})

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PORTICO_KAFKA_SERVERS": self.kafka_servers,
            "PORTICO_TOPIC_PREFIX": self.prefix,
            "PORTICO_TOKEN": "a-token",
        }

    async def _put(
        self, at: Position, value: bytes | None, headers: list[tuple[str, bytes]], key: bytes, timestamp: int
    ) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.kafka_servers) as producer:
            await producer.send_and_wait(
                self.topic(at.service),
                value,
                key=key,
                partition=at.shard,
                timestamp_ms=timestamp,
                headers=headers,
            )


@pytest.fixture
def topics(kafka_servers: str, topic_prefix: str) -> Topics:
    return Topics(kafka_servers, topic_prefix)


@pytest.fixture
def story(topics: Topics) -> Topics:
    """Five events on three topics, published in another order than they happened."""
    topics.make("billing", "entities", "notifications")
    money = {"currency": "EUR", "contract_id": "8a1f"}
    plan = topics.event(
        "billing", "InstalmentPlanSet", CONTRACT, 0, {**money, "amount_cents": 12_000, "schedule": [1, 2]}
    )
    created = topics.event("entities", "EntityCreated", "contact/1", 1, {"entity": "contact", "personal": BOX})
    changed = topics.event("billing", "InstalmentChanged", CONTRACT, 2, {**money, "amount_cents": 9_500})
    sent = topics.event("notifications", "MessageSent", "message/1", 3, {"recipient": BOX, "subject": ""})
    other = topics.event("billing", "InstalmentPlanSet", "instalments/other", 4, {**money, "amount_cents": 7})
    topics.publish(sent, created, plan, changed, other)
    return topics


def positions(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [json.loads(line)["position"] for line in result.stdout.splitlines()]


def at(story: Topics, *numbers: int) -> list[str]:
    return [str(story.published[number].position) for number in numbers]


def test_all_events_of_all_topics_come_in_the_order_of_time(story: Topics) -> None:
    assert positions(story.run("tail", "--no-follow", "--json")) == at(story, 0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--service", "billing"], [0, 2, 4]),
        (["--service", "billing", "--service", "entities"], [0, 1, 2, 4]),
        (["--type", "Instalment*"], [0, 2, 4]),
        (["--type", "portico.billing.InstalmentChanged.v1"], [2]),
        (["--type", "InstalmentChanged"], [2]),
        (["--stream", "contact"], [1]),
        (["--stream", "instalments/8a*"], [0, 2]),
        (["--limit", "2"], [0, 1]),
        (["--since", "2026-11-21T08:02"], [2, 3, 4]),
        (["--since", "2026-11-21T09:03:00+01:00"], [3, 4]),
        (["--since", "2026-11-22"], []),
        (["--since", "2000w"], [0, 1, 2, 3, 4]),
    ],
)
def test_events_are_filtered(story: Topics, arguments: list[str], expected: list[int]) -> None:
    assert positions(story.run("tail", "--no-follow", "--json", *arguments)) == at(story, *expected)


def test_events_since_a_position_begin_with_it(story: Topics) -> None:
    (second,) = at(story, 2)
    assert positions(story.run("tail", "--no-follow", "--json", "--since", second)) == at(story, 2, 3, 4)


def test_tail_shows_one_line_an_event_with_its_facts_and_nothing_personal(story: Topics) -> None:
    lines = story.run("tail", "--no-follow").stdout.splitlines()
    assert len(lines) == 5
    assert lines[2].split()[:4] == ["2026-11-21T08:02:00.000Z", "InstalmentChanged", CONTRACT, at(story, 2)[0]]
    assert "amount 95.00 EUR" in lines[2]
    assert "recipient [sealed contact/1]" in lines[3]
    assert "AAAA" not in "".join(lines)


def test_show_tells_everything_about_an_event(story: Topics) -> None:
    result = story.run("show", at(story, 3)[0])
    assert result.exit_code == 0
    for fact in ("MessageSent", "message/1, version 1", "staff/anna", '"recipient": "[sealed contact/1]"', "offset 0"):
        assert fact in result.stdout


def test_show_as_json_has_the_data_as_it_was_published(story: Topics) -> None:
    shown = json.loads(story.run("show", at(story, 3)[0], "--json").stdout)
    assert shown["data"] == {"recipient": BOX, "subject": ""}
    assert (shown["type"], shown["stream"], shown["version"]) == (
        "portico.notifications.MessageSent.v1",
        "message/1",
        1,
    )
    assert shown["metadata"] == {"actor": "staff/anna"}


def test_show_lists_a_stream_once_whatever_was_published_twice(story: Topics) -> None:
    story.publish(story.published[0], story.published[2])
    assert positions(story.run("show", CONTRACT, "--json")) == at(story, 0, 2)
    repeated = story.run("tail", "--no-follow", "--json", "--stream", CONTRACT).stdout.splitlines()
    assert sum("repeated" in json.loads(line) for line in repeated) == 2


def test_a_stream_is_found_wherever_it_was_put(story: Topics) -> None:
    """A topic may have more partitions than the log has shards."""
    lost = story.event("entities", "EntityDeleted", "contract/7", 5, {"id": "7"})
    elsewhere = replace(lost, position=replace(lost.position, shard=1 - lost.position.shard))
    story.publish(elsewhere)
    assert positions(story.run("show", "contract/7", "--json")) == [str(elsewhere.position)]


def test_any_position_is_found_also_among_repetitions_and_rubbish(topics: Topics) -> None:
    topics.make("billing")
    records = [topics.event("billing", "InstalmentChanged", "instalments/1", n, {"n": n}) for n in range(1, 31)]
    rubbish = records[0].position
    topics.put(rubbish, b"rubbish", [], b"?")
    for number in (*range(10), *range(5, 20), *range(12, 30)):
        topics.publish(records[number])
    topics.put(rubbish, b"rubbish", [], b"?")
    for record in (records[0], records[6], records[15], records[19], records[29]):
        assert positions(topics.run("show", str(record.position), "--json")) == [str(record.position)]
    missing = topics.run("show", str(replace(rubbish, sequence=31)))
    assert missing.exit_code == 1
    assert "There is no event" in missing.stderr


BROKEN = [
    (b"{}", [], "not a record of a Portico topic"),
    (None, [], "not a record of a Portico topic"),
    (b"\xff\xfe not JSON \x1b[2J", "good", "its value is not JSON"),
    (b"[1, 2]", "good", "its value is not a JSON object"),
    (b"[" * 5_000, "good", "its value is not JSON"),
    (b"{}", "foreign", "does not belong here"),
]


def test_malformed_records_are_shown_as_such(story: Topics) -> None:
    good = story.published[0]
    kinds = {"good": good.headers(), "foreign": story.published[1].headers()}
    for value, headers, _ in BROKEN:
        story.put(good.position, value, kinds[headers] if isinstance(headers, str) else [], b"key", START)
    result = story.run("tail", "--no-follow", "--service", "billing")
    assert result.exit_code == 0
    assert result.exception is None
    broken = [line for line in result.stdout.splitlines() if "malformed" in line]
    assert len(broken) == len(BROKEN)
    for line, (_, _, why) in zip(broken, BROKEN, strict=True):
        assert why in line
        assert "\x1b" not in line
    listed = [json.loads(line) for line in story.run("tail", "--no-follow", "--json").stdout.splitlines()]
    assert [one["position"] for one in listed if "problem" not in one] == at(story, 0, 1, 2, 3, 4)
    assert len([one for one in listed if "problem" in one]) == len(BROKEN)


def test_tail_follows_what_comes_and_ends_quietly(story: Topics) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "events", "tail", "--json", "--type", "Instalment*"],
        env={**os.environ, **story.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    lines: queue.Queue[bytes] = queue.Queue()
    assert process.stdout
    assert process.stderr
    threading.Thread(target=_collect, args=[process.stdout, lines], daemon=True).start()
    try:
        minutes, first, limit = 10, None, time.monotonic() + LIMIT_SECONDS
        while first is None and time.monotonic() < limit:
            minutes += 1
            story.publish(story.event("billing", "InstalmentChanged", CONTRACT, minutes, {"minutes": minutes}))
            try:
                first = json.loads(lines.get(timeout=0.3))
            except queue.Empty:
                continue
        assert first is not None, "nothing came"
        assert first["data"]["minutes"] > 10
        story.publish(story.event("entities", "EntityDeleted", "contact/1", 60, {}))
        last = story.event("billing", "InstalmentRefused", CONTRACT, 61, {})
        story.publish(last)
        while json.loads(lines.get(timeout=LIMIT_SECONDS))["position"] != str(last.position):
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_SECONDS) == 0
        assert process.stderr.read() == b""
    finally:
        process.kill()
        process.wait(LIMIT_SECONDS)


def _collect(output: Iterable[bytes], lines: queue.Queue[bytes]) -> None:
    for line in output:
        lines.put(line)


async def test_live_consumers_do_not_notice(kafka_servers: str, topic_prefix: str) -> None:
    topics = Topics(kafka_servers, topic_prefix)
    record = topics.event("billing", "InstalmentChanged", CONTRACT, 0, {})
    partition = TopicPartition(f"{topic_prefix}.billing", record.position.shard)

    def publish() -> None:
        topics.make("billing")
        topics.publish(record)

    await asyncio.to_thread(publish)
    async with AIOKafkaConsumer(
        partition.topic, bootstrap_servers=kafka_servers, group_id=f"{topic_prefix}.live", enable_auto_commit=False
    ) as consumer:
        await consumer.commit({partition: 1})
        before = await groups(kafka_servers)
        for command in (["tail", "--no-follow"], ["show", str(record.position)], ["show", CONTRACT]):
            result = await asyncio.to_thread(topics.run, *command)
            assert "InstalmentChanged" in result.stdout
        assert await groups(kafka_servers) == before
        assert await consumer.committed(partition) == 1
        assert consumer.assignment()


async def groups(servers: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        return {group[0] for group in await admin.list_consumer_groups()}
    finally:
        await admin.close()


class Identity(BaseHTTPRequestHandler):
    """Speaks as identity does, and notes what it was asked."""

    asked: list[tuple[str, Wanted]]
    plain: dict[str, str | None]
    refuses = False

    def do_POST(self) -> None:
        wanted = Wanted.model_validate_json(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.headers["Authorization"], wanted))
        values = [self.plain.get(box.box) for box in wanted.boxes]
        answer = Revealed(reveal_id="1", values=list(values)).model_dump_json().encode()
        self.send_response(403 if self.refuses else 200)
        self.end_headers()
        self.wfile.write(b'{"detail": "Your role may not do this."}' if self.refuses else answer)

    def log_message(self, *_: object) -> None:
        """Nothing: the output belongs to the command."""


@pytest.fixture
def identity() -> Iterator[tuple[type[Identity], str]]:
    handler = type("Handler", (Identity,), {"asked": [], "plain": {"AAAA": "anna@example.org"}})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_reveal_shows_personal_values_for_a_reason(story: Topics, identity: tuple[type[Identity], str]) -> None:
    handler, url = identity
    gone = story.event(
        "notifications", "MessageSent", "message/2", 9, {"recipient": {"sealed": "contact/2", "box": "BBBB"}}
    )
    empty = story.event(
        "notifications", "MessageSent", "message/3", 9, {"recipient": {"sealed": "contact/3", "box": ""}}
    )
    story.publish(gone, empty)
    shown = story.run("tail", "--no-follow", "--reveal", "Complaint 118", PORTICO_IDENTITY_URL=url).stdout
    assert "recipient anna@example.org" in shown
    assert "recipient [erased contact/2]" in shown
    assert "recipient [erased contact/3]" in shown
    assert {(token, wanted.reason) for token, wanted in handler.asked} == {("Bearer a-token", "Complaint 118")}
    assert sorted(box.box for _, wanted in handler.asked for box in wanted.boxes) == ["AAAA", "BBBB"]
    as_json = story.run("show", str(gone.position), "--json", "--reveal", "Complaint 118", PORTICO_IDENTITY_URL=url)
    assert json.loads(as_json.stdout)["data"] == {"recipient": {"erased": "contact/2"}}


def test_reveal_that_is_refused_shows_nothing(story: Topics, identity: tuple[type[Identity], str]) -> None:
    handler, url = identity
    handler.refuses = True
    result = story.run("show", at(story, 3)[0], "--reveal", "Curious", PORTICO_IDENTITY_URL=url)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "Your role may not do this." in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tail", "--since", "yesterday"], "'yesterday' is not a place to begin"),
        (["tail", "--service", "lamps"], "There is no service 'lamps'"),
        (["show", "instalments/unheard-of"], "There is no event of a stream 'instalments/unheard-of'"),
        (["show", "billing/9:1"], "billing has no shard 9"),
        (["schema", "Lamp"], "There is no type 'Lamp'"),
        (["tail", "--service", "portal"], "There is no topic"),
    ],
)
def test_mistakes_get_a_sentence(story: Topics, arguments: list[str], says: str) -> None:
    result = story.run(*arguments)
    assert result.exit_code == 1
    assert says in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.stderr


def test_no_kafka_is_said_plainly(topic_prefix: str) -> None:
    result = Topics(f"127.0.0.1:{free_port()}", topic_prefix).run("tail")
    assert result.exit_code == 1
    assert "does not answer" in result.stderr


def test_schema_prints_the_published_schema() -> None:
    result = CliRunner().invoke(app, ["events", "schema", "InstalmentChanged"])
    assert json.loads(result.stdout)["$id"] == "urn:portico:billing:InstalmentChanged:v1"
