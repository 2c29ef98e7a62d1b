"""Entities at work on real PostgreSQL and Kafka, with tokens that the tests sign themselves."""

import base64
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial

import pytest

from chassis.auth import LocalKeys, Principal, Role, generate_key, issue
from chassis.provision import provision_database
from chassis.settings import Settings
from chassis.testing import RunningService, running
from chassis.topics import ensure_topics
from services.entities.app import create

Token = Callable[[Role], dict[str, str]]
KEY = generate_key()


@pytest.fixture(scope="session")
def token() -> Token:
    """Headers of a request in a role."""

    def headers(role: Role) -> dict[str, str]:
        signed = issue(KEY, Principal(role, f"{role}-1").claims(), timedelta(minutes=30))
        return {"Authorization": f"Bearer {signed}"}

    return headers


@pytest.fixture(scope="module")
async def entities(database: str, kafka_servers: str, module_topic_prefix: str) -> AsyncIterator[RunningService]:
    urls = provision_database(database, {"entities": "entities-secret", "identity": "identity-secret"}, 4)
    settings = Settings(
        database_url=urls["entities"],
        kafka_servers=kafka_servers,
        topic_prefix=module_topic_prefix,
        master_key=base64.b64encode(b"k" * 32).decode(),
    )
    await ensure_topics(settings)
    async with running(partial(create, keys=LocalKeys([KEY])), settings) as service:
        yield service


@pytest.fixture(scope="module")
def module_topic_prefix() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"
