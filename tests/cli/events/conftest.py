"""Topics on a real broker with a story of events in them, and which of its events a command showed."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner, Result

from chassis.log import shard_of
from chassis.topics import ensure_topics
from cli.main import app
from contracts.envelope import Metadata, Record
from contracts.ids import Position, stream
from contracts.topics import Topic

SHARDS = 2
START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
CONTRACT = stream("instalments", "8a1f3f52-7f7e-5f43-9d0c-2f1f4f0f9b02")
BOX = {"sealed": "contact/1", "box": "AAAA"}


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
