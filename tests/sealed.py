"""A log whose events were published and sealed, in batches of different sizes, and whose relay has stopped."""

import asyncio
import base64
import json
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from chassis.database import open_pool
from chassis.log import Append, NewEvent
from chassis.postgres_log import PostgresLog
from chassis.provision import provision_database
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.testing import eventually
from chassis.topics import ensure_topics
from cli.events.place import Place
from contracts.envelope import Metadata

SHARDS = 4
SERVICE = "billing"
SECONDS = 60.0
STOP_ATTEMPTS, STOP_SECONDS = 5, 2.0


@dataclass(frozen=True)
class SealedLog:
    """Where it is: the admin's URL of its database, the settings of its service."""

    admin: str
    settings: Settings

    @property
    def place(self) -> Place:
        return Place(self.settings.kafka_servers, self.settings.topic_prefix)

    @property
    def url(self) -> str:
        return self.settings.database_url.get_secret_value()


async def make_log(admin: str, kafka_servers: str, prefix: str, seal_key: str = "") -> SealedLog:
    """An empty log with its topics."""
    settings = Settings(
        database_url=provision_database(admin, {SERVICE: "secret"}, SHARDS)[SERVICE],
        kafka_servers=kafka_servers,
        topic_prefix=prefix,
        master_key=base64.b64encode(b"k" * 32).decode(),
        seal_key=seal_key,
    )
    await ensure_topics(settings)
    return SealedLog(admin, settings)


async def write(sealed: SealedLog, events: int, rng: random.Random) -> None:
    """Appends events to streams of one to three events each, at several times, by several people."""
    async with open_pool(sealed.url, 4) as pool:
        log = await PostgresLog.connect(SERVICE, pool)
        written = 0
        while written < events:
            news = tuple(_event(rng, written + number) for number in range(rng.randint(1, 3)))
            await log.append(Append(f"counter/{uuid.UUID(int=rng.getrandbits(128))}", 0, news, datetime.now(UTC)))
            written += len(news)


def _event(rng: random.Random, number: int) -> NewEvent:
    data = json.dumps({"by": number, "text": "Öko" * rng.randint(0, 60)}, ensure_ascii=False).encode()
    return NewEvent(
        "portico.billing.TestIncreased.v1", data, Metadata(correlation_id=f"c{number}", actor=f"staff/{number % 7}")
    )


@asynccontextmanager
async def relaying(sealed: SealedLog) -> AsyncIterator[tuple[Relay, PostgresLog]]:
    """A relay at work for the length of the block."""
    async with open_pool(sealed.url, 4) as pool:
        log = await PostgresLog.connect(SERVICE, pool)
        relay = Relay(log, sealed.settings)
        task = asyncio.create_task(relay.run())
        try:
            yield relay, log
        finally:
            for _ in range(STOP_ATTEMPTS):  # a library may swallow a cancellation
                task.cancel()
                await asyncio.wait([task], timeout=STOP_SECONDS)
            assert task.done()


async def relayed(sealed: SealedLog) -> None:
    """Lets a relay publish everything."""
    async with relaying(sealed) as (relay, log):
        heads = await log.heads()

        async def published() -> bool:
            return relay.published == heads

        await eventually(published, SECONDS)


async def make_history(sealed: SealedLog, rng: random.Random, batches: int = 4, events: int = 80) -> None:
    """Writes and publishes in turns, so that a shard has several seals."""
    for _ in range(batches):
        await write(sealed, events, rng)
        await relayed(sealed)
