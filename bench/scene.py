"""Where everything is measured: one PostgreSQL and one Kafka, a database of its own per row, and the sizes."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from chassis.provision import provision_database
from chassis.settings import Settings
from chassis.topics import ensure_topics
from cli.stack.kafka import kafka
from cli.stack.ports import free_port
from cli.stack.postgres import postgres
from contracts.topics import SERVICES

SHARDS = 4
#: Says when a row became visible; the only setting of PostgreSQL that `portico up` does not have.
OVERRIDES = {"track_commit_timestamp": "on"}
#: What a server of its own would give PostgreSQL on a machine of 24 GiB, and checkpoints as rare as there.
LARGE = {"shared_buffers": "6GB", "effective_cache_size": "12GB", "max_wal_size": "16GB"}


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    rounds: int = 5
    seconds: float = 3.0
    streams: int = 20_000
    events: int = 100_000
    peer_events: int = 5_000
    replayed: int = 1_000_000
    rate: int = 300
    latency_seconds: float = 10.0
    imported: int = 1_000_000
    growth: tuple[int, ...] = (10_000, 1_000_000)
    idle_seconds: float = 10.0
    starts: int = 5


FULL = Sizes()
QUICK = replace(
    FULL,
    rounds=3,
    seconds=1.0,
    streams=5_000,
    events=20_000,
    peer_events=1_000,
    replayed=100_000,
    latency_seconds=3.0,
    imported=50_000,
    growth=(10_000, 100_000),
    idle_seconds=5.0,
    starts=1,
)
SMOKE = replace(
    QUICK,
    rounds=1,
    seconds=0.2,
    streams=200,
    events=2_000,
    peer_events=500,
    replayed=2_000,
    rate=50,
    latency_seconds=1.0,
    imported=1_000,
    growth=(1_000, 2_000),
    idle_seconds=0.5,
)


@dataclass(frozen=True)
class Site:
    """A database with all services' schemas, and topics of its own."""

    admin_url: str
    urls: dict[str, str]
    shared: Settings

    def settings(self, service: str) -> Settings:
        return self.shared.model_copy(update={"database_url": _secret(self.urls[service])})


@dataclass(frozen=True)
class Scene:
    """The servers of a run."""

    folder: Path
    database_url: str
    kafka_servers: str
    sizes: Sizes
    install: bool
    """Whether peers that are not here may be installed."""

    @cached_property
    def _master_key(self) -> str:
        return base64.b64encode(os.urandom(32)).decode()

    def database(self, name: str) -> str:
        """A new, empty database: its admin's URL."""
        unique = f"{name}_{secrets.token_hex(3)}"
        with psycopg.connect(self.database_url, autocommit=True, connect_timeout=10) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(unique)))
        return urlsplit(self.database_url)._replace(path=f"/{unique}").geturl()

    async def site(self, name: str, identity_url: str = "http://127.0.0.1:9", **settings: object) -> Site:
        """A place for services: their schemas in a new database, their topics under a new prefix."""
        admin = self.database(name)
        urls = provision_database(admin, dict.fromkeys(SERVICES, "bench"), SHARDS)
        shared = Settings.model_validate(
            {
                "database_url": admin,
                "kafka_servers": self.kafka_servers,
                "topic_prefix": admin.rpartition("/")[2].replace("_", "-"),
                "shards": SHARDS,
                "master_key": self._master_key,
                "identity_url": identity_url,
                **settings,
            }
        )
        await ensure_topics(shared)
        return Site(admin, urls, shared)


@contextmanager
def set_up(folder: Path, sizes: Sizes, *, install: bool, large: bool = False) -> Iterator[Scene]:
    """Starts PostgreSQL and Kafka, or takes those that the environment names for tests."""
    given = os.environ.get("PORTICO_TEST_DATABASE_URL"), os.environ.get("PORTICO_TEST_KAFKA_SERVERS")
    if given[0] and given[1]:
        yield Scene(folder, given[0], given[1], sizes, install)
        return
    overrides = OVERRIDES | (LARGE if large else {})
    with postgres(folder / "p", free_port(), **overrides) as database, kafka(folder / "k") as broker:
        yield Scene(folder, database.url(), broker.servers, sizes, install)


def _secret(url: str) -> object:
    from pydantic import SecretStr  # noqa: PLC0415

    return SecretStr(url)
