"""Makes the topics of contracts.topics where they are missing; never changes one that exists."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from typing import Any, Protocol

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from chassis.errors import Unavailable
from contracts.topics import TOPICS, Topic

REQUEST_TIMEOUT_MS = 15_000
READY_SECONDS = 30.0
POLL_SECONDS = 0.1

Partitions = dict[str, dict[int, bool]]
"""By topic: its partitions, and whether each can be written to."""


class TopicSettings(Protocol):
    """The part of chassis.settings.Settings that topics depend on."""

    @property
    def kafka_servers(self) -> str: ...
    @property
    def shards(self) -> int: ...
    @property
    def topic_replicas(self) -> int: ...
    def topic(self, name: str) -> str: ...


class UnfitTopic(Exception):
    """A topic cannot be what Portico needs; the message says why and what to do."""


async def ensure_topics(settings: TopicSettings, topics: Iterable[Topic] = TOPICS) -> list[str]:
    """Creates missing topics, waits until each partition has a leader, and returns the names of the new ones.

    Raises UnfitTopic when an existing topic has fewer partitions than there are shards or the cluster refuses a
    new one, and chassis.errors.Unavailable when no broker answers in time.
    """
    wanted = {settings.topic(topic.name): topic for topic in topics}
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_servers, request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        existing = await _partitions(admin)
        _refuse_narrow(existing, wanted, settings.shards)
        missing = [
            NewTopic(name, settings.shards, settings.topic_replicas, topic_configs=_configuration(topic, settings))
            for name, topic in wanted.items()
            if name not in existing
        ]
        created = _created(await admin.create_topics(missing)) if missing else []
        await _wait_for_leaders(admin, wanted, settings.shards)
        return created
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka at {settings.kafka_servers}: {error}") from error
    finally:
        await admin.close()


def _configuration(topic: Topic, settings: TopicSettings) -> dict[str, str]:
    return {**topic.settings, "min.insync.replicas": str(max(1, settings.topic_replicas - 1))}


def _refuse_narrow(existing: Partitions, names: Collection[str], shards: int) -> None:
    for name in names:
        if 0 < len(existing.get(name, ())) < shards:
            raise UnfitTopic(
                f"The topic {name} has {len(existing[name])} partitions, but there are {shards} shards "
                "(PORTICO_SHARDS), and shard = partition. Set PORTICO_SHARDS to what the logs were created with, "
                "or use another PORTICO_TOPIC_PREFIX."
            )


def _created(response: Any) -> list[str]:
    """The names that were created; one that somebody else created meanwhile is as good."""
    created = []
    for name, code, *details in response.topic_errors:
        error = for_code(code)
        if code == 0:
            created.append(name)
        elif error is not TopicAlreadyExistsError:
            reason = next((detail for detail in details if detail), None) or error.description
            raise UnfitTopic(f"Kafka refuses to create the topic {name}: {reason}")
    return created


async def _wait_for_leaders(admin: AIOKafkaAdminClient, names: Collection[str], shards: int) -> None:
    try:
        async with asyncio.timeout(READY_SECONDS):
            while True:
                existing = await _partitions(admin)
                _refuse_narrow(existing, names, shards)
                if all(name in existing and all(existing[name].values()) for name in names):
                    return
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise Unavailable(f"Kafka has no leader for every partition of {', '.join(sorted(names))}") from None


async def _partitions(admin: AIOKafkaAdminClient) -> Partitions:
    return {
        topic["topic"]: {
            partition["partition"]: partition["error_code"] == 0 and partition["leader"] >= 0
            for partition in topic["partitions"]
        }
        for topic in await admin.describe_topics()
        if topic["error_code"] == 0
    }
