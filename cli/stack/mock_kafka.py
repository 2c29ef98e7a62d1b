"""Stands in for Kafka where its jars cannot be had: librdkafka's mock cluster, in this process, in memory only."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cli.problem import Problem

TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class MockKafka:
    """Lives as long as `client` is kept."""

    client: Any
    servers: str


def start() -> MockKafka:
    try:
        from confluent_kafka import Producer  # noqa: PLC0415
    except ImportError as error:
        raise Problem(
            "The stand-in for Kafka is not installed.",
            "Install Portico with its extra `embedded`, or set PORTICO_KAFKA_SERVERS to a Kafka of your own.",
        ) from error
    client = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 4})
    brokers = client.list_topics(timeout=TIMEOUT_SECONDS).brokers.values()
    return MockKafka(client, ",".join(f"{broker.host}:{broker.port}" for broker in brokers))


def make_topics(mock: MockKafka, names: Iterable[str]) -> None:
    """The mock cannot be told to create a topic: it makes one, with four partitions, when asked about it."""
    for name in names:
        mock.client.list_topics(name, timeout=TIMEOUT_SECONDS)
