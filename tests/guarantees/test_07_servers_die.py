"""7: PostgreSQL and Kafka may be restarted, killed, stand still or be cut off under load: all goes on without help."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from psycopg import conninfo
from pydantic import SecretStr

from cli.audit.audit import audit_logs
from cli.events.place import Place
from tests.guarantees.harness import ALL, Process, Traffic, World, make_topics, world
from tests.guarantees.plan import Plan
from tests.guarantees.proof import VIEW, prove, settled
from tests.guarantees.servers import Proxy, Server, own_kafka, own_postgres

POSTGRES_STEPS = ("kill", "pause", "restart")
KAFKA_STEPS = ("hang and kill", "pause", "kill", "restart")
HANG_SECONDS = 1.0
PAUSE_SECONDS = 1.5
CUTS = 20


@asynccontextmanager
async def on_servers(
    postgres_url: str, kafka_servers: str, folder: Path, parts: str = ALL
) -> AsyncIterator[tuple[World, Process]]:
    with world(postgres_url, kafka_servers, folder) as made:
        await make_topics(made.settings)
        yield made, await made.start(parts).ready()


async def disturb(server: Server, step: str) -> None:
    """Ends the server, at once or after it stood still for a while, or lets it only stand still; brings it back."""
    if step == "hang and kill":
        server.pause()
        await asyncio.sleep(HANG_SECONDS)
    if step == "pause":
        server.pause()
        await asyncio.sleep(PAUSE_SECONDS)
        server.go_on()
        return
    await asyncio.to_thread(server.stop if step == "restart" else server.kill)
    await server.start()


async def test_postgres(kafka_servers: str, temporary_folder: Path, folder: Path, plan: Plan) -> None:
    """The answered commands are all there, and each of them once, though it was sent until it was answered."""
    async with (
        own_postgres(temporary_folder) as server,
        on_servers(server.address, kafka_servers, folder) as (made, service),
    ):
        traffic = Traffic(made, plan.rng, lanes=10, pause_ms=3)
        recovered: dict[str, float] = {}
        async with traffic.flowing():
            for _ in plan.rounds():
                for step in plan.rng.sample(POSTGRES_STEPS, len(POSTGRES_STEPS)):
                    await traffic.more(50)
                    await disturb(server, step)
                    started = time.monotonic()
                    await traffic.more(20)
                    await service.ready()
                    recovered[step] = max(recovered.get(step, 0.0), time.monotonic() - started)
        proof = await prove(made, traffic)
    told = {f"s_after_{step}": seconds for step, seconds in recovered.items()}
    plan.tell(events=proof.events, commands_sent_again=traffic.repeated, **told)


async def test_what_postgres_forgot_of_a_view_comes_back_though_nothing_else_comes(
    kafka_servers: str, temporary_folder: Path, folder: Path, plan: Plan
) -> None:
    """Views commit without waiting for the disk, so a crash takes their last moments, and the relay's; not the log's.

    The server of this test writes so late that it surely forgets some. What was forgotten is published anew.
    """
    async with (
        own_postgres(temporary_folder, wal_writer_delay="10000ms") as server,
        on_servers(server.address, kafka_servers, folder, "relay,view") as (made, _),
    ):
        traffic = Traffic(made, plan.rng, counters=200)
        forgotten = 0
        for _ in plan.rounds():
            async with traffic.flowing():
                await traffic.more(100)
            await settled(made, (VIEW,))
            await asyncio.to_thread(server.kill)
            await server.start()
            forgotten += behind(made)
            started = time.monotonic()
            await settled(made, (VIEW,))
            seconds = time.monotonic() - started
        proof = await prove(made, traffic, (VIEW,))
        place = Place(made.settings.kafka_servers, made.settings.topic_prefix)
        url = made.settings.database_url.get_secret_value()
        report = await audit_logs({"billing": url}, place, [], lambda *_: None)
    assert forgotten
    assert report.ok, [verdict.finding for verdict in report.verdicts]
    plan.tell(events=proof.events, forgotten_at_first=forgotten, s_until_it_was_back=seconds)


def behind(world: World) -> int:
    """How many events the view lacks."""
    with world.connect() as connection:
        row = connection.execute(
            "SELECT (SELECT sum(sequence) FROM heads) - (SELECT sum(sequence) FROM checkpoints WHERE consumer = %s)",
            (VIEW,),
        ).fetchone()
    return int(row[0]) if row else 0


async def test_kafka(postgres_url: str, fresh_database: str, folder: Path, plan: Plan) -> None:
    """Commands go on as if nothing were the matter; topics and views are where they should be soon after."""
    async with own_kafka(folder) as server, on_servers(fresh_database, server.address, folder) as (made, _):
        traffic = Traffic(made, plan.rng, pause_ms=40)
        recovered: dict[str, float] = {}
        for _ in plan.rounds():
            for step in plan.rng.sample(KAFKA_STEPS[: plan.some(2, 4)], plan.some(2, 4)):
                async with traffic.flowing():
                    await traffic.more(50)
                    await disturb(server, step)
                    started = time.monotonic()
                    await traffic.more(20)
                await settled(made)
                recovered[step] = max(recovered.get(step, 0.0), time.monotonic() - started)
        proof = await prove(made, traffic)
    assert traffic.repeated == 0
    told = {f"s_after_{step}": seconds for step, seconds in recovered.items()}
    plan.tell(events=proof.events, duplicates_dropped=proof.duplicates, **told)


@pytest.mark.parametrize("how", ["cut", "held"])
async def test_connections_to_postgres_are_broken(our_world: World, plan: Plan, how: str) -> None:
    """Also between a commit and its answer: a command whose answer was lost is not carried out again."""
    direct = our_world.settings.database_url.get_secret_value()
    parts = conninfo.conninfo_to_dict(direct)
    async with Proxy(str(parts["host"]), int(parts["port"] or 0)).running() as proxy:
        url = conninfo.make_conninfo(direct, port=proxy.port)
        service = await our_world.start(ALL, PORTICO_DATABASE_URL=url).ready()
        behind = Traffic(through(our_world, url), plan.rng, lanes=10, pause_ms=2)
        cut = 0
        async with behind.flowing():
            for _ in plan.rounds():
                for _ in range(CUTS if how == "cut" else 1):
                    await asyncio.sleep(plan.rng.random() * 0.1)
                    if how == "held":
                        proxy.hold()
                        await asyncio.sleep(PAUSE_SECONDS)
                    assert proxy.connections
                    cut += proxy.cut()
                    proxy.release()
                started = time.monotonic()
                await behind.more(50)
                await service.ready()
                recovered = time.monotonic() - started
        proof = await prove(our_world, behind)
    plan.tell(events=proof.events, connections_cut=cut, commands_sent_again=behind.repeated, s_to_recover=recovered)


def through(world: World, url: str) -> World:
    """The same world as seen through the proxy."""
    settings = world.settings.model_copy(update={"database_url": SecretStr(url)})
    return World(settings, world.admin_url, world.folder)
