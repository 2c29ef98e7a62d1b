"""Identity at work on real PostgreSQL and Kafka; tokens come from itself."""

import base64
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from chassis.provision import provision_database
from chassis.settings import Settings
from chassis.testing import RunningService, running
from chassis.topics import ensure_topics
from services.identity.access import passwords
from services.identity.app import create
from tests.services.identity.world import MovingClock, World

Headers = Callable[..., Awaitable[dict[str, str]]]
SHARDS = 4


@pytest.fixture(scope="module")
def database_url(database: str) -> str:
    """The URL of identity's own role in a provisioned database."""
    return provision_database(database, {"identity": "identity-secret"}, SHARDS)["identity"]


@pytest.fixture(scope="module")
async def settings(database_url: str, kafka_servers: str) -> Settings:
    settings = Settings(
        database_url=SecretStr(database_url),
        kafka_servers=kafka_servers,
        topic_prefix=f"test-{uuid.uuid4().hex[:12]}",
        master_key=SecretStr(base64.b64encode(b"k" * 32).decode()),
        development=True,
    )
    await ensure_topics(settings)
    return settings


@pytest.fixture(scope="module")
async def identity(settings: Settings) -> AsyncIterator[RunningService]:
    async with running(create, settings) as service:
        yield service


@pytest.fixture(scope="module")
def client(identity: RunningService) -> httpx.AsyncClient:
    return identity.client


@pytest.fixture(scope="module")
def as_(client: httpx.AsyncClient) -> Headers:
    """Headers of a request in a role: `await as_("operator")`."""

    async def headers(role: str, **more: Any) -> dict[str, str]:
        answered = await client.post("/development/token", json={"role": role, **more})
        return {"Authorization": f"Bearer {answered.raise_for_status().json()['access_token']}"}

    return headers


@pytest.fixture(scope="module")
def cheap_hashes() -> Iterator[None]:
    """What is at stake in most tests is not the hash; tests/services/identity/test_passwords.py has the real ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "MEMORY_KIB", 64)
        patch.setattr(passwords, "PASSES", 1)
        yield


@pytest.fixture(scope="module")
async def world(settings: Settings, cheap_hashes: None) -> AsyncIterator[World]:
    clock = MovingClock()
    async with (
        running(partial(create, clock=clock), settings) as service,
        AIOKafkaProducer(bootstrap_servers=settings.kafka_servers) as producer,
    ):
        world = World(service, producer, clock)
        await world.portal()
        yield world
