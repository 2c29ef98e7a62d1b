"""What must hold at the end of every test, whatever was killed: proved from the log, the topic and the tables."""

from __future__ import annotations

import asyncio
from collections import Counter as Counts
from collections import defaultdict
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis.testing import eventually
from contracts.envelope import Envelope, Record
from tests.chassis.events import COUNTERS, Counter, Increased
from tests.guarantees.harness import SECONDS, SHARDS, Traffic, World

VIEW = COUNTERS.consumer
REACTION = "reaction:echo"
PAGE = 1_000
MAXIMUM_PAGES = 10_000

UNSETTLED = """
SELECT 'relay', h.shard, r.sequence, h.sequence FROM heads h JOIN relay_cursors r USING (shard)
WHERE %(relay)s AND r.sequence < h.sequence
UNION ALL
SELECT w.consumer, h.shard, coalesce(c.sequence, 0), h.sequence
FROM heads h CROSS JOIN unnest(%(consumers)s::text[]) AS w(consumer)
LEFT JOIN checkpoints c ON c.consumer = w.consumer AND c.topic = %(topic)s AND c.partition = h.shard
WHERE coalesce(c.sequence, 0) <> h.sequence
"""


@dataclass(frozen=True)
class Proof:
    """How many events the log has, and how many records of the topic repeat an earlier one."""

    events: int
    duplicates: int


async def settled(world: World, consumers: tuple[str, ...] = (VIEW, REACTION), seconds: float = SECONDS) -> None:
    """Returns when everything in the log is published and applied by these consumers."""
    parameters = {"relay": True, "consumers": list(consumers), "topic": world.topic}
    with world.connect() as connection:
        unsettled: list[tuple[object, ...]] = []

        async def done() -> bool:
            unsettled[:] = connection.execute(UNSETTLED, parameters).fetchall()
            return not unsettled

        try:
            await eventually(done, seconds)
        except TimeoutError:
            said = "\n".join(f"{process.log.name}:\n{process.said()[-1500:]}" for process in world.processes[-4:])
            raise TimeoutError(f"not settled in {seconds} s: (who, shard, at, head) {unsettled}\n{said}") from None


async def prove(
    world: World,
    traffic: Traffic | None = None,
    consumers: tuple[str, ...] = (VIEW, REACTION),
    seconds: float = SECONDS,
) -> Proof:
    """Waits until all is settled and checks everything that was promised. Raises AssertionError."""
    await settled(world, consumers, seconds)
    history = await logged(world)
    published = await topic(world)
    duplicates = prove_topic(world, history, published)
    if VIEW in consumers:
        prove_view(world, history)
    if REACTION in consumers:
        prove_reactions(history)
    if traffic is not None:
        prove_acknowledged(history, traffic)
    return Proof(sum(map(len, history.values())), duplicates)


async def logged(world: World) -> dict[int, list[Envelope]]:
    """All events of the log by shard; every shard must be gapless and every stream complete."""
    history: dict[int, list[Envelope]] = {}
    versions: Counts[str] = Counts()
    async with world.streams(2) as streams:
        heads = await streams.log.heads()
        for shard in range(SHARDS):
            records: list[Record] = []
            for _ in range(MAXIMUM_PAGES):
                page = await streams.log.read(shard, len(records), PAGE)
                records += page
                if len(page) < PAGE:
                    break
            assert [record.position.sequence for record in records] == list(range(1, heads[shard] + 1))
            for record in records:
                versions[record.stream] += 1
                assert record.version == versions[record.stream]
            history[shard] = await streams._sealer.open(records)
    return history


async def topic(world: World) -> dict[int, list[Record]]:
    """All records of the service's topic by partition, as they stand there."""
    consumer = AIOKafkaConsumer(bootstrap_servers=world.settings.kafka_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(world.topic, shard) for shard in range(SHARDS)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: dict[int, list[Record]] = {shard: [] for shard in range(SHARDS)}
        async with asyncio.timeout(SECONDS):
            while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
                for partition, records in (await consumer.getmany(timeout_ms=200, max_records=5_000)).items():
                    found[partition.partition] += [Record.from_kafka(r.headers, r.value) for r in records]
        return found
    finally:
        await consumer.stop()


def prove_topic(world: World, history: dict[int, list[Envelope]], published: dict[int, list[Record]]) -> int:
    """The first occurrences are the log, byte for byte and in order; returns how many others there are."""
    duplicates = 0
    for shard, records in published.items():
        seen = 0
        for record in records:
            assert record.position.sequence <= seen + 1, f"{record.position} comes before {seen + 1}"
            if record.position.sequence == seen + 1:
                assert record == history[shard][seen].record
                seen += 1
            else:
                duplicates += 1
        assert seen == len(history[shard]), f"{world.topic}/{shard} ends at {seen} of {len(history[shard])}"
    return duplicates


def prove_view(world: World, history: dict[int, list[Envelope]]) -> None:
    """The view's table is what a fold of the whole log yields."""
    expected = COUNTERS.fold({}, [e for shard in history.values() for e in shard if isinstance(e.event, Increased)])
    with world.connect() as connection:
        rows = connection.execute(f"SELECT key, doc FROM {COUNTERS.table}").fetchall()  # noqa: S608 a constant
    shown = {key: Counter.model_validate(document) for key, document in rows}
    both = {key: (shown.get(key), expected.get(key)) for key in shown | expected}
    wrong = {key: pair for key, pair in both.items() if pair[0] != pair[1]}
    assert not wrong, f"{len(wrong)} of {len(expected)} documents: (shown, expected) {list(wrong.values())[:3]}"


def prove_reactions(history: dict[int, list[Envelope]]) -> None:
    """Every increase of a counter was echoed once, by its cause, in the order of the counter."""
    causes: dict[str, list[str]] = defaultdict(list)
    echoes: dict[str, list[str]] = defaultdict(list)
    for shard in history.values():
        for envelope in shard:
            kind, _, id_ = envelope.stream.partition("/")
            if kind == "counter":
                causes[id_].append(str(envelope.position))
            else:
                echoes[id_].append(str(envelope.metadata.causation_id))
    assert echoes == causes


def prove_acknowledged(history: dict[int, list[Envelope]], traffic: Traffic) -> None:
    """Every counter holds what was acknowledged."""
    held: Counts[str] = Counts()
    for shard in history.values():
        for envelope in shard:
            kind, _, id_ = envelope.stream.partition("/")
            if kind == "counter" and id_ in traffic.acknowledged and isinstance(envelope.event, Increased):
                held[id_] += envelope.event.by
    assert held == traffic.acknowledged
