"""The seed goes through the public import and the ERP's topic of real services, and changes nothing when repeated."""

import base64
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta

import pytest

from chassis.auth import LocalKeys, Principal, generate_key, issue
from chassis.provision import provision_database
from chassis.service import Service
from chassis.settings import Settings
from chassis.testing import eventually
from chassis.topics import ensure_topics
from cli.problem import Problem
from cli.seed import find_target
from cli.seeding.feeder import Target, applied, feed
from cli.seeding.generator import customers
from cli.stack.ports import free_port
from services.billing.app import create as create_billing
from services.entities.app import create as create_entities
from tests.served import served

KEY = generate_key()
TODAY = date(2026, 11, 21)
COUNT = 30


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[str]:
    """The service behind a real port, ready; yields its address."""

    async def ready() -> bool:
        return all((await service.readiness()).values())

    async with served(service.http) as port:
        await eventually(ready, 30)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def target(database: str, kafka_servers: str, topic_prefix: str) -> AsyncIterator[Target]:
    urls = provision_database(database, {"entities": "a", "billing": "b", "identity": "c"}, 4)

    def settings(service: str) -> Settings:
        return Settings(
            database_url=urls[service],
            kafka_servers=kafka_servers,
            topic_prefix=topic_prefix,
            master_key=base64.b64encode(b"k" * 32).decode(),
        )

    await ensure_topics(settings("entities"))
    keys = LocalKeys([KEY])
    async with (
        running(create_entities(settings("entities"), keys=keys)) as entities_url,
        running(create_billing(settings("billing"), keys=keys)) as billing_url,
    ):
        token = issue(KEY, Principal("operator", "operator-1").claims(), timedelta(minutes=30))
        yield Target(entities_url, billing_url, kafka_servers, f"{topic_prefix}.erp.in", token)


async def test_a_seed_arrives_and_the_same_again_changes_nothing(target: Target) -> None:
    expected = list(customers(COUNT, 1, TODAY))
    contracts = sum(len(customer.contracts) for customer in expected)
    messages = sum(len(contract.messages) for customer in expected for contract in customer.contracts)
    progress: Counter[str] = Counter()

    def advance(name: str, by: int) -> None:
        progress[name] += by

    fed = await feed(target, customers(COUNT, 1, TODAY), advance)
    await applied(target, fed, advance)
    assert (fed.created, fed.updated, fed.unchanged, fed.messages) == (COUNT + contracts, 0, 0, messages)
    assert progress == {"contacts": COUNT, "contracts": contracts, "messages": messages, "applied": messages}

    again = await feed(target, customers(COUNT, 1, TODAY), advance)
    await applied(target, again, advance)
    assert (again.created, again.updated, again.unchanged) == (0, 0, COUNT + contracts)


async def test_what_goes_wrong_is_said(target: Target) -> None:
    one = list(customers(1, 1, TODAY))
    with pytest.raises(Problem, match=r"refused \(401\)"):
        await feed(replace(target, token="nonsense"), iter(one), lambda *_: None)
    wrong = replace(one[0], row=("K-1", "ms", "Anna", "", *one[0].row[4:]))
    with pytest.raises(Problem, match="the first of them K-1: Last name: a value is missing"):
        await feed(target, iter([wrong]), lambda *_: None)
    nowhere = f"127.0.0.1:{free_port()}"
    with pytest.raises(Problem, match=f"Kafka at {nowhere} does not take messages"):
        await feed(replace(target, kafka_servers=nowhere), iter(one), lambda *_: None)


def test_the_environment_names_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_ENTITIES_URL", "http://entities")
    monkeypatch.setenv("PORTICO_KAFKA_SERVERS", "kafka:9092")
    monkeypatch.setenv("PORTICO_TOKEN", "t")
    monkeypatch.setenv("PORTICO_TOPIC_PREFIX", "lindenau")
    monkeypatch.delenv("PORTICO_BILLING_URL", raising=False)
    assert find_target() == Target("http://entities", None, "kafka:9092", "lindenau.erp.in", "t")
