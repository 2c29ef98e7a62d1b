"""Topics are made as listed, once, and a topic that cannot carry its log is refused with a reason."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from pydantic import SecretStr

from chassis.errors import Unavailable
from chassis.settings import Settings
from chassis.topics import UnfitTopic, ensure_topics
from cli.stack.ports import SERVICES as STARTED
from cli.stack.ports import free_port
from contracts.topics import ERP_REJECTS, SERVICES, TOPICS


def settings(servers: str, prefix: str, shards: int = 4, replicas: int = 1) -> Settings:
    return Settings(
        database_url=SecretStr("unused"),
        master_key=SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="),
        kafka_servers=servers,
        topic_prefix=prefix,
        shards=shards,
        topic_replicas=replicas,
    )


def test_every_service_that_is_started_has_a_topic() -> None:
    assert set(STARTED) == set(SERVICES)
    assert [topic.name for topic in TOPICS] == [*SERVICES, "erp.in", "erp.rejects", "seals"]


async def test_topics_are_made_once_as_listed(kafka_servers: str, topic_prefix: str) -> None:
    ours = settings(kafka_servers, topic_prefix, shards=3)
    names = {ours.topic(topic.name) for topic in TOPICS}
    assert set(await ensure_topics(ours)) == names
    assert await ensure_topics(ours) == []
    partitions, configuration = await describe(kafka_servers, sorted(names))
    assert partitions == dict.fromkeys(names, 3)
    for topic in TOPICS:
        assert topic.settings.items() <= configuration[ours.topic(topic.name)].items()
    assert configuration[ours.topic("billing")]["retention.ms"] == "-1"
    assert configuration[ours.topic(ERP_REJECTS.name)]["retention.ms"] == "7776000000"


async def test_several_may_make_them_at_the_same_time(kafka_servers: str, topic_prefix: str) -> None:
    ours = settings(kafka_servers, topic_prefix)
    created = await asyncio.gather(*(ensure_topics(ours) for _ in range(4)))
    assert sorted(name for names in created for name in names) == sorted(ours.topic(topic.name) for topic in TOPICS)


async def test_a_topic_with_fewer_partitions_than_shards_is_refused(kafka_servers: str, topic_prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_servers)
    await admin.start()
    await admin.create_topics([NewTopic(f"{topic_prefix}.billing", 2, 1)])
    await admin.close()
    with pytest.raises(UnfitTopic, match=rf"{topic_prefix}\.billing has 2 partitions, but there are 4 shards"):
        await ensure_topics(settings(kafka_servers, topic_prefix))
    assert f"{topic_prefix}.billing" not in await ensure_topics(settings(kafka_servers, topic_prefix, shards=2))


async def test_a_topic_that_the_cluster_cannot_make_is_refused(kafka_servers: str, topic_prefix: str) -> None:
    with pytest.raises(UnfitTopic, match=rf"refuses to create the topic {topic_prefix}\.\w+: .*replication"):
        await ensure_topics(settings(kafka_servers, topic_prefix, replicas=3))


async def test_no_broker_is_said_plainly(topic_prefix: str) -> None:
    servers = f"127.0.0.1:{free_port()}"
    with pytest.raises(Unavailable, match=servers):
        await ensure_topics(settings(servers, topic_prefix))


async def describe(servers: str, names: list[str]) -> tuple[dict[str, int], dict[str, dict[str, str]]]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        topics = await admin.describe_topics(names)
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    finally:
        await admin.close()
    configuration = {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }
    return {topic["topic"]: len(topic["partitions"]) for topic in topics}, configuration
