"""`portico events tail`: what it shows, where it begins and ends, and that nobody else notices."""

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from tests.cli.events.conftest import CONTRACT, START, Topics, at, positions

LIMIT_SECONDS = 30


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


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Whoever starts a program in the background lets it ignore Ctrl-C, and its children with it: these listen."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
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
