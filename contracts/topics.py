"""The one list of topics: the generated AsyncAPI document, the provisioner and every way of running Portico read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SERVICES = ("identity", "entities", "journeys", "processes", "billing", "notifications", "portal")
FOR_EVER = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
NINETY_DAYS = {"cleanup.policy": "delete", "retention.ms": str(90 * 24 * 60 * 60 * 1000), "retention.bytes": "-1"}


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic by its name without the prefix. It has one partition per shard; `settings` are Kafka's topic settings."""

    name: str
    purpose: str
    settings: Mapping[str, str]


def _of_service(service: str) -> Topic:
    return Topic(
        service,
        f"Every event of {service}, for ever: partition = shard, key = stream, gapless `ce_sequence` per partition.",
        FOR_EVER,
    )


ERP_IN = Topic(
    "erp.in",
    "What an ERP sends: CloudEvents in binary or structured mode, key = the contract's number in the ERP.",
    FOR_EVER,
)
ERP_REJECTS = Topic(
    "erp.rejects",
    "Records of erp.in that could not be taken: their original key, value and headers, and the reason.",
    NINETY_DAYS,
)
SEALS = Topic(
    "seals",
    "Seals of all services: the hash chain over each shard's events, kept outside the database. Key = service/shard.",
    FOR_EVER,
)
TOPICS = (*map(_of_service, SERVICES), ERP_IN, ERP_REJECTS, SEALS)
