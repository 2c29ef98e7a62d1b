"""11: replays and audits show what happened, and leave the positions of live consumers untouched."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from aiokafka.admin import AIOKafkaAdminClient
from typer.testing import CliRunner, Result

from cli.main import app
from cli.replay.as_of import Then, as_of
from cli.replay.sources import from_logs, from_topics
from contracts.envelope import Envelope
from tests.chassis.events import COUNTERS, Counter
from tests.guarantees.harness import Traffic, World
from tests.guarantees.plan import Plan
from tests.guarantees.proof import logged, prove


async def test_live_consumers_do_not_notice(our_world: World, plan: Plan, folder: Path) -> None:
    service = our_world.start()
    await service.ready()
    traffic = Traffic(our_world, plan.rng)
    async with traffic.flowing():
        await traffic.more(plan.some(200, 5_000))
    await prove(our_world, traffic)
    history = await logged(our_world)
    before = positions(our_world), await groups(our_world)
    begun = time.monotonic()
    topic, log = [await lines(our_world, "replay", "billing", "--from", source) for source in ("topic", "log")]
    seconds = time.monotonic() - begun
    assert topic == log
    assert {line["position"] for line in topic} == {str(e.position) for shard in history.values() for e in shard}
    for shard, events in history.items():
        found = [line["position"] for line in topic if line["position"].startswith(f"billing/{shard}:")]
        assert found == [str(event.position) for event in events]
    stream, events = max(of_streams(history).items(), key=lambda item: len(item[1]))
    for source in ("topic", "log"):
        assert [line["version"] for line in await lines(our_world, "replay", stream, "--from", source)] == [
            event.record.version for event in events
        ]
    await run(our_world, "audit", "verify", "--service", "billing")
    await run(our_world, "audit", "export", str(folder / "export"), "--service", "billing")
    assert (positions(our_world), await groups(our_world)) == before
    fences = {row[:3]: row[5] for row in before[0]}
    async with traffic.flowing():
        await traffic.more(50)
        assert len(await lines(our_world, "replay", "billing")) > len(topic)
        await traffic.more(50)
    await prove(our_world, traffic)
    assert {row[:3]: row[5] for row in positions(our_world)} == fences
    plan.tell(events=len(topic), events_replayed_per_s=round(2 * len(topic) / seconds))


async def test_a_document_is_shown_as_it_was(our_world: World, plan: Plan, monkeypatch: Any) -> None:
    service = our_world.start("relay,view")
    await service.ready()
    traffic = Traffic(our_world, plan.rng, counters=3)
    async with traffic.flowing():
        await traffic.more(80)
    await prove(our_world, traffic, ("view:counters:v1",))
    for name, value in environment(our_world).items():
        monkeypatch.setenv(name, value)
    before = positions(our_world)
    history = [event for shard in (await logged(our_world)).values() for event in shard]
    looked_at = plan.rng.sample(history, 5)
    for at in looked_at:
        id_ = at.stream.partition("/")[2]
        expected = COUNTERS.fold({}, [e for e in history if e.stream == at.stream and e.position <= at.position])[id_]
        assert expected is not None
        for events in (from_topics, from_logs):
            then = await as_of(COUNTERS, id_, at.position, events(["billing"]), None)
            assert then == Then(expected, expected.events, then.last)
            assert then.last is not None
            assert then.last.place == str(at.position)
            by_time = await as_of(COUNTERS, id_, at.time, events(["billing"]), None)
            assert isinstance(by_time.document, Counter)
            assert by_time.document.events >= expected.events
    assert positions(our_world) == before
    plan.tell(documents=4 * len(looked_at))


def environment(world: World) -> dict[str, str]:
    return {
        "PORTICO_DATABASE_URL": world.settings.database_url.get_secret_value(),
        "PORTICO_KAFKA_SERVERS": world.settings.kafka_servers,
        "PORTICO_TOPIC_PREFIX": world.settings.topic_prefix,
    }


async def run(world: World, *arguments: str) -> Result:
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments, env=environment(world))
    assert result.exit_code == 0, result.output
    return result


async def lines(world: World, *arguments: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (await run(world, *arguments)).stdout.splitlines()]


def of_streams(history: Mapping[int, list[Envelope]]) -> dict[str, list[Envelope]]:
    streams: dict[str, list[Envelope]] = defaultdict(list)
    for shard in history.values():
        for event in shard:
            streams[event.stream].append(event)
    return streams


def positions(world: World) -> list[tuple[Any, ...]]:
    """All that live consumers and relays know about where they stand."""
    with world.connect() as connection:
        rows = connection.execute(
            "SELECT consumer, topic, partition, sequence, next_offset, fence FROM checkpoints ORDER BY 1, 2, 3"
        ).fetchall()
        return (
            rows
            + connection.execute("SELECT 'relay', '', shard, sequence, 0, 0 FROM relay_cursors ORDER BY 3").fetchall()
        )


async def groups(world: World) -> list[Any]:
    """The groups of this world at the broker."""
    admin = AIOKafkaAdminClient(bootstrap_servers=world.settings.kafka_servers)
    await admin.start()
    try:
        return sorted(group for group in await admin.list_consumer_groups() if world.settings.topic_prefix in group[0])
    finally:
        await admin.close()
