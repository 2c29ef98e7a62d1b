"""Real PostgreSQL and Kafka for every test that asks: started once per run, or taken from the environment."""

import os
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import psycopg
import pytest
import structlog
from psycopg import sql

from cli.stack.background import started
from cli.stack.kafka import kafka
from cli.stack.ports import free_port
from cli.stack.postgres import postgres
from cli.stack.state import Record, State

# On a busy machine a single example may take long without anything being wrong with it.
hypothesis.settings.register_profile("portico", deadline=None)
hypothesis.settings.load_profile("portico")


#: Tests end processes, not the machine: what the server wrote is safe in the system's memory, and disks are slow.
KEPT_BY_THE_SYSTEM = {"fsync": "off", "track_commit_timestamp": "on"}


def _to_stderr(*_: object) -> structlog.PrintLogger:
    return structlog.PrintLogger(sys.stderr)


structlog.configure(logger_factory=_to_stderr)


@contextmanager
def temporary_state() -> Iterator[Path]:
    """Not below pytest's own folder, which every run closes to the account that PostgreSQL uses under root."""
    with tempfile.TemporaryDirectory(prefix="portico-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a server's superuser; the database it names is nobody's."""
    given = os.environ.get("PORTICO_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with temporary_state() as folder, postgres(folder, free_port(), **KEPT_BY_THE_SYSTEM) as server:
        yield server.url()


@pytest.fixture(scope="session")
def kafka_servers() -> Iterator[str]:
    """The bootstrap servers of a broker that does not create topics by itself."""
    given = os.environ.get("PORTICO_TEST_KAFKA_SERVERS")
    if given:
        yield given
        return
    with temporary_state() as folder, kafka(folder) as broker:
        yield broker.servers


@pytest.fixture(scope="module")
def database(postgres_url: str) -> Iterator[str]:
    """A database of its own for a test module, as its admin's URL."""
    with new_database(postgres_url) as url:
        yield url


@pytest.fixture
def fresh_database(postgres_url: str) -> Iterator[str]:
    """A database of its own for a single test, as its admin's URL."""
    with new_database(postgres_url) as url:
        yield url


@contextmanager
def new_database(postgres_url: str) -> Iterator[str]:
    name = sql.Identifier(f"test_{uuid.uuid4().hex[:12]}")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        yield postgres_url.rsplit("/", 1)[0] + "/" + name.as_string().strip('"')
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
def topic_prefix() -> str:
    """Sets the topics of one test apart from those of all others."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def state() -> Iterator[Path]:
    """A state folder of an embedded stack."""
    with temporary_state() as folder:
        yield folder / ".portico"


@pytest.fixture(scope="module")
def temporary_folder() -> Iterator[Path]:
    """A folder of a test module, in which a stack can keep its state."""
    with temporary_state() as folder:
        yield folder


@pytest.fixture(scope="session")
def stack() -> Iterator[Record]:
    """The whole of Portico, running on free ports: for tests that go through several services."""
    given = os.environ.get("PORTICO_TEST_STATE_DIR")
    if given:
        yield State(Path(given)).record()
        return
    with temporary_state() as folder, started(State(folder / ".portico"), "--port-base", "0") as record:
        yield record
