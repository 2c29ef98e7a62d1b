"""The topics that Portico uses and how they are made: the one list behind `portico up`, production and the docs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from chassis.settings import Settings

SERVICES = ("identity", "entities", "journeys", "processes", "billing", "notifications", "portal")
KEEP_ALL = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
TIMEOUT_MS = 30_000


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic without its prefix. Those of a log have a partition for each shard."""

    name: str
    config: Mapping[str, str]


TOPICS = (
    *(Topic(service, KEEP_ALL) for service in SERVICES),
    Topic("erp.in", KEEP_ALL),
    Topic("erp.rejects", KEEP_ALL),
)


class TooFewPartitions(Exception):
    """A topic has fewer partitions than the log that it carries has shards."""


async def ensure_topics(settings: Settings) -> None:
    """Makes the topics that are missing. Raises TooFewPartitions for one that cannot carry its log."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_servers, request_timeout_ms=TIMEOUT_MS)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in TOPICS if settings.topic(topic.name) not in existing]
        if missing:
            await admin.create_topics(
                [
                    NewTopic(
                        settings.topic(topic.name),
                        num_partitions=settings.shards,
                        replication_factor=settings.topic_replicas,
                        topic_configs=dict(topic.config),
                    )
                    for topic in missing
                ],
                timeout_ms=TIMEOUT_MS,
            )
        names = [settings.topic(topic.name) for topic in TOPICS if settings.topic(topic.name) in existing]
        for description in await admin.describe_topics(names) if names else ():
            if len(description["partitions"]) < settings.shards:
                raise TooFewPartitions(
                    f"{description['topic']} has {len(description['partitions'])} partitions, "
                    f"but the log has {settings.shards} shards: add partitions to the topic first"
                )
    finally:
        await admin.close()
