"""Where the events are: told by the environment, or else by the Portico that runs on this state folder."""

from __future__ import annotations

import os
from dataclasses import dataclass

from cli.stack.state import State, state_folder
from cli.token import development_token


@dataclass(frozen=True, slots=True)
class Place:
    """A Kafka cluster and the prefix of our topics there."""

    kafka_servers: str
    topic_prefix: str

    def topic(self, service: str) -> str:
        return f"{self.topic_prefix}.{service}"


def find_place() -> Place:
    """Raises a Problem when nothing says where Kafka is."""
    servers = os.environ.get("PORTICO_KAFKA_SERVERS") or State(state_folder()).record().kafka_servers
    return Place(servers, os.environ.get("PORTICO_TOPIC_PREFIX") or "portico")


def identity_url() -> str:
    return os.environ.get("PORTICO_IDENTITY_URL") or State(state_folder()).record().services["identity"]


def operator_token() -> str:
    """PORTICO_TOKEN, or a development token of the Portico that runs here."""
    return os.environ.get("PORTICO_TOKEN") or development_token(identity_url(), "operator")
