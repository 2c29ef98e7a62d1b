"""The embedded PostgreSQL and Kafka: reachable, durable, and back by themselves after a kill."""

import os
import shutil
import signal
import time
import uuid
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from cli.stack import kafka as kafka_stack
from cli.stack import postgres as postgres_stack
from cli.stack.kafka import Kafka
from cli.stack.ports import free_port, free_ports
from cli.stack.postgres import Postgres
from cli.stack.programs import running


def test_each_module_has_a_database_of_its_own(database: str) -> None:
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == (database.rsplit("/", 1)[1],)
        assert connection.execute("SHOW server_version_num").fetchone() >= ("180000",)  # type: ignore[operator]


def test_postgres_refuses_a_wrong_password(postgres_url: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(psycopg.conninfo.make_conninfo(postgres_url, password="wrong"))


def test_postgres_comes_back_from_a_kill_with_all_it_committed(state: Path) -> None:
    server = Postgres(state / "postgres", free_port(), "secret", state / "postgres.log")
    program = postgres_stack.program(server)
    with running(program) as process:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE TABLE lamps (name text)")
            connection.execute("INSERT INTO lamps VALUES ('on')")
        os.kill(process.pid, signal.SIGKILL)
    assert (server.data / "postmaster.pid").exists()
    began = time.monotonic()
    with running(program), psycopg.connect(server.url("postgres")) as connection:
        print(f"PostgreSQL was back {time.monotonic() - began:.1f} s after kill -9")  # noqa: T201
        assert connection.execute("SELECT name FROM lamps").fetchall() == [("on",)]


def test_an_interrupted_first_start_of_postgres_is_repeated(state: Path) -> None:
    (state / "postgres.draft").mkdir(parents=True)
    (state / "postgres.draft" / "PG_VERSION").write_text("18")
    server = Postgres(state / "postgres", free_port(), "secret", state / "postgres.log")
    with running(postgres_stack.program(server)):
        postgres_stack.ensure_database(server)
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must lend PostgreSQL another account")
def test_root_runs_postgres_in_a_folder_that_is_closed_to_others(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = postgres_stack.binaries().parents[1]
    closed = state.parent / "closed"
    copy = closed / package.name
    shutil.copytree(package / "pginstall18", copy / "pginstall18", symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs", symlinks=True)
    for path in (*closed.rglob("*"), closed):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)
    monkeypatch.setattr(postgres_stack, "binaries", lambda: copy / "pginstall18" / "bin")
    with postgres_stack.postgres(closed / "state", free_port()) as server, psycopg.connect(server.url()) as session:
        assert session.execute("SELECT 1").fetchone() == (1,)
    assert closed.stat().st_mode & 0o777 == 0o701, "others may pass through, not look around"


async def make_topic(servers: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=4, replication_factor=1)])
    await admin.close()


async def first_value(servers: str, topic: str) -> tuple[int, int, bytes | None]:
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=servers, auto_offset_reset="earliest", group_id=uuid.uuid4().hex
    ) as consumer:
        record = await consumer.getone()
    return record.partition, record.offset, record.value


async def test_records_go_through_kafka(kafka_servers: str, topic_prefix: str) -> None:
    topic = f"{topic_prefix}.records"
    await make_topic(kafka_servers, topic)
    async with AIOKafkaProducer(bootstrap_servers=kafka_servers, enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, b"lamp", partition=2)
    assert await first_value(kafka_servers, topic) == (2, 0, b"lamp")


async def test_kafka_comes_back_from_a_kill_with_what_it_acknowledged(state: Path) -> None:
    port, controller_port = free_ports(2)
    broker = Kafka(state / "kafka", port, controller_port, state / "kafka.log")
    program = kafka_stack.program(broker)
    with running(program) as process:
        await make_topic(broker.servers, "lamps")
        async with AIOKafkaProducer(bootstrap_servers=broker.servers, acks="all") as producer:
            await producer.send_and_wait("lamps", b"on", partition=1)
        os.kill(process.pid, signal.SIGKILL)
    began = time.monotonic()
    with running(program):
        print(f"Kafka was back {time.monotonic() - began:.1f} s after kill -9")  # noqa: T201
        assert await first_value(broker.servers, "lamps") == (1, 0, b"on")
