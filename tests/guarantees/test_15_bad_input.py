"""15: malformed records on every topic and bad requests are rejected where one can see them, and nothing stops."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from chassis.auth import LocalKeys, Principal, generate_key, issue
from chassis.decider import Decider
from chassis.provision import provision_database
from chassis.service import Service
from chassis.settings import Settings
from chassis.testing import RunningService, eventually, running
from chassis.topics import ensure_topics
from contracts.base import Event
from contracts.topics import SERVICES, TOPICS
from services.billing.app import create as billing
from services.entities.app import create as entities
from services.identity.app import create as identity
from services.journeys.app import create as journeys
from services.notifications.app import create as notifications
from services.portal.app import create as portal
from services.processes.app import create as processes
from tests.guarantees.harness import SECONDS, SESSION_MS
from tests.guarantees.plan import LONG, Plan

KEY = generate_key()
SHARDS = 4 if LONG else 2
TRUSTING: dict[str, Callable[[Settings], Service]] = {
    "identity": identity,
    **{
        name: partial(create, keys=LocalKeys([KEY]))
        for name, create in (
            ("entities", entities),
            ("journeys", journeys),
            ("processes", processes),
            ("billing", billing),
            ("notifications", notifications),
            ("portal", portal),
        )
    },
}
Garbage = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]
DEEP = b'{"a":' * 60_000 + b"1" + b"}" * 60_000
GARBAGE: list[Garbage] = [
    (None, b"", []),
    (b"a tombstone", None, []),
    (b"", b"", []),
    (b"\xff\xfe\x00", b"\x00\xff\xfe", []),
    (b"no\0text", b"{", [("ce_id", b"\xff\xff")]),
    (b"k" * 5_000, b"null", [("ce_id", b"billing/-1:0"), ("ce_type", b"\0")]),
    (b"utf-16", '{"a": "ä"}'.encode("utf-16"), [("content-type", b"text/plain; charset=utf-16")]),
    (b"latin-1", '{"a": "ä"}'.encode("latin-1"), [("ce_id", b"elsewhere/99:1"), ("ce_time", b"yesterday")]),
    (b"deep", DEEP, [("ce_id", b"1"), ("ce_subject", b"x" * 10_000)]),
    (b"large", b'"' + b"x" * 900_000 + b'"', []),
    (b"numbers", b'{"a": 1e999, "b": NaN, "c": 123456789012345678901234567890}', [("ce_specversion", b"1.0")]),
    (b"surrogates", rb'{"a": "\ud800"}', [("ce_id", b""), ("ce_id", b"twice")]),
    (b"many headers", b"[]", [(f"h{number}", b"v") for number in range(500)]),
]


def noted(service: str) -> Decider[Any, int]:
    """Events of a service that none of its readers wants: they only move checkpoints."""

    class Noted(Event, service=service, wire_name="TestNoted"):
        """Nothing happened."""

    return Decider("noted", 0, lambda _, __: [Noted()], lambda state, _: state)


NOTED = {service: noted(service) for service in SERVICES}


@dataclass
class Everybody:
    """All services at work in this process."""

    services: dict[str, RunningService]
    settings: Settings

    def each_consumer(self) -> list[tuple[Service, Any]]:
        return [(one.service, consumer) for one in self.services.values() for consumer in one.service.consumers]


@pytest.fixture(scope="module")
async def everybody(database: str, kafka_servers: str) -> AsyncIterator[Everybody]:
    urls = provision_database(database, {name: f"{name}-secret" for name in TRUSTING}, SHARDS)
    common: dict[str, Any] = {
        "kafka_servers": kafka_servers,
        "topic_prefix": f"test-{uuid.uuid4().hex[:12]}",
        "master_key": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=",
        "smtp_url": "smtp://127.0.0.1:9",
        "consumer_session_ms": SESSION_MS * 4,
        "shards": SHARDS,
    }
    settings = {name: Settings(database_url=url, **common) for name, url in urls.items()}
    await ensure_topics(settings["billing"])
    async with AsyncExitStack() as stack:
        starting = [stack.enter_async_context(running(create, settings[name])) for name, create in TRUSTING.items()]
        services = dict(zip(TRUSTING, await asyncio.gather(*starting), strict=True))
        yield Everybody(services, settings["billing"])


async def test_malformed_records_on_every_topic(everybody: Everybody, plan: Plan) -> None:
    sent = await litter(everybody.settings)
    for name, running_service in everybody.services.items():
        streams = running_service.service.streams
        await asyncio.gather(*(streams.execute(NOTED[name], uuid.uuid4().hex, None) for _ in range(20)))
    await eventually(lambda: all_read(everybody), SECONDS)
    parked = 0
    for service, consumer in everybody.each_consumer():
        if consumer.source.gapless:
            mine = [entry for entry in (await service.status())["parked"] if entry["consumer"] == consumer.source.name]
            assert sum(entry["count"] for entry in mine) == len(consumer.source.topics) * len(GARBAGE) * SHARDS
            assert all(entry["error"] for entry in mine)
            parked += sum(entry["count"] for entry in mine)
    rejected = await eventually(lambda: all_rejected(everybody.services["billing"].service), SECONDS)
    assert rejected == len(GARBAGE) * SHARDS
    for running_service in everybody.services.values():
        assert (await running_service.client.get("/health/ready")).status_code == 200
    plan.tell(topics=len(TOPICS), malformed_records=sent, parked=parked, rejected=rejected)


async def litter(settings: Settings) -> int:
    """Writes everything malformed to every partition of every topic."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_servers)
    await producer.start()
    sent = 0
    try:
        for topic in TOPICS:
            for partition in range(SHARDS):
                for key, value, headers in GARBAGE:
                    await producer.send(settings.topic(topic.name), value, key, partition, headers=headers)
                    sent += 1
        await producer.flush()
    finally:
        await producer.stop()
    return sent


async def all_read(everybody: Everybody) -> bool:
    """Whether every consumer has applied every event of the logs that it reads, and read every foreign record."""
    for service, consumer in everybody.each_consumer():
        positions = consumer.positions()
        if len(positions) != len(consumer.source.topics) * SHARDS or any(one["lag"] for one in positions):
            return False
        if not consumer.source.gapless:
            continue
        for topic in consumer.source.topics:
            heads = await everybody.services[topic].service.log.heads()
            done = {p["partition"]: p["position"] for p in positions if p["topic"] == service.settings.topic(topic)}
            if done != heads:
                return False
    return True


async def all_rejected(service: Service) -> int:
    """How many records of erp.in are rejected, once all of them are on the topic of rejects."""
    async with service.pool.connection() as connection:
        cursor = await connection.execute("SELECT count(*), count(published_at) FROM erp_rejects")
        row = await cursor.fetchone()
    return int(row[0]) if row and row[0] == row[1] else 0


Body = Callable[[], bytes]
JSON = "application/json"
REQUESTS: dict[str, tuple[Body, dict[str, str], int, str]] = {
    "nested": (lambda: DEEP, {}, 400, "invalid_json_depth"),
    "nested lists": (lambda: b"[" * 500_000, {}, 400, "invalid_json_depth"),
    "oversized": (lambda: json.dumps([{"a": "x" * 1_000}] * 2_000).encode(), {}, 413, "body_too_large"),
    "latin-1": (lambda: '{"note": "ä"}'.encode("latin-1"), {}, 400, "invalid_json"),
    "utf-16": (lambda: '{"note": "ä"}'.encode("utf-16"), {}, 400, "invalid_json"),
    "utf-16, said so": (lambda: b"{}", {"Content-Type": f"{JSON}; charset=utf-16"}, 415, "unsupported_encoding"),
    "compressed": (lambda: b"\x1f\x8b\x08", {"Content-Encoding": "gzip"}, 415, "unsupported_encoding"),
    "xml": (lambda: b"<a/>", {"Content-Type": "text/xml"}, 415, "unsupported_media_type"),
    "nul": (lambda: rb'{"contract": "a\u0000b"}', {}, 400, "invalid_character"),
    "cut off": (lambda: b'{"contract": "V-1', {}, 400, "invalid_json"),
    "not a number": (lambda: b'{"amount_cents": NaN}', {}, 400, "invalid_json"),
    "surrogate": (lambda: rb'{"contract": "\ud800"}', {}, 400, "invalid_json"),
    "beyond all numbers": (lambda: b'{"amount_cents": 1e400}', {}, 400, "invalid_json"),
    "wrong shape": (lambda: b'[[{"contract": []}]]', {}, 422, "invalid_request"),
    "a key of control characters": (lambda: b"{}", {"Idempotency-Key": "a\tb"}, 422, "invalid_request"),
}


async def test_bad_requests_are_refused_with_a_reason(everybody: Everybody, plan: Plan) -> None:
    client = everybody.services["billing"].client
    signed = issue(KEY, Principal("erp", "sap").claims(), timedelta(minutes=30))
    for name, (body, headers, status, code) in REQUESTS.items():
        sent = {"Authorization": f"Bearer {signed}", "Content-Type": JSON, **headers}
        answer = await client.post("/erp/instalment-plans", content=body(), headers=sent)
        assert answer.headers["content-type"] == "application/problem+json", name
        assert (answer.status_code, answer.json()["code"]) == (status, code), name
        assert len(answer.content) < 20_000, name
    assert (await client.get("/health/ready")).status_code == 200
    plan.tell(bad_requests=len(REQUESTS))
