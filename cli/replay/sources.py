"""Where events are replayed from: the topics or the logs; each event once, shards in order and merged by time."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import orjson

from chassis.postgres_log import PostgresLog
from cli.audit.place import log_urls
from cli.events.place import find_place
from cli.events.reading import open_reader
from cli.events.seen import Seen
from cli.logs import open_log
from contracts.envelope import Record
from contracts.topics import SERVICES

PAGE = 1_000

Batches = AsyncIterator[Sequence[Seen]]


class Once:
    """Tells a repeated event from a new one, at a byte for each."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], bytearray] = defaultdict(bytearray)

    def is_new(self, seen: Seen) -> bool:
        known = self._seen[seen.service, seen.partition]
        if seen.sequence >= len(known):
            known.extend(bytes(max(PAGE, seen.sequence - len(known) + 1)))
        if known[seen.sequence]:
            return False
        known[seen.sequence] = 1
        return True


async def from_topics(services: Sequence[str] | None, stream: str | None = None) -> Batches:
    """All events on the topics up to their ends now; what is no event is left out."""
    once = Once()
    key = stream.encode() if stream else None
    async with open_reader(find_place(), services or SERVICES) as reader:
        beginnings, ends = await reader.beginnings(), await reader.ends()
        starts = {partition: beginnings[partition] for partition in reader.partitions}
        async for batch in reader.records(starts, ends, None if key is None else lambda record: record.key == key):
            yield [seen for seen in batch if seen.record and once.is_new(seen)]


async def from_logs(services: Sequence[str] | None, stream: str | None = None) -> Batches:
    """All events of the logs up to their heads now: of these services, or of all that can be read from here."""
    async with AsyncExitStack() as stack:
        logs = [await stack.enter_async_context(open_log(service)) for service in services or log_urls(None)]
        if stream:
            for log in logs:
                yield [_seen(record) for record in (await log.load([stream])).get(stream, ())]
            return
        shards = [_shard(log, shard, head) for log in logs for shard, head in sorted((await log.heads()).items())]
        async for batch in _merged(shards):
            yield batch


async def _shard(log: PostgresLog, shard: int, head: int) -> Batches:
    after = 0
    while after < head and (records := await log.read(shard, after, PAGE)):
        yield [_seen(record) for record in records if record.position.sequence <= head]
        after = records[-1].position.sequence


async def _merged(shards: Sequence[Batches]) -> Batches:
    """Always the shard whose next event is the oldest, as the reader of topics does it."""
    held: list[deque[Seen]] = [deque() for _ in shards]
    going = set(range(len(shards)))
    while going or any(held):
        for number in sorted(going):
            while not held[number] and number in going:
                page = await anext(shards[number], None)
                if page is None:
                    going.discard(number)
                held[number].extend(page or ())
        ready: list[Seen] = []
        while any(held) and all(held[number] for number in going):
            ready.append(min(filter(None, held), key=lambda queue: queue[0].time).popleft())
        yield ready


def _seen(record: Record) -> Seen:
    """As it would be seen on its topic; its place in the log stands for the offset."""
    position = record.position
    at = int(record.time.timestamp() * 1000)
    place = (position.service, position.shard, position.sequence - 1, at)
    return Seen(*place, record.time, record.data, record, orjson.loads(record.data))
