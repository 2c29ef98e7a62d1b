"""A record as it was found on a topic: an event, or something that is none, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from aiokafka import ConsumerRecord

from contracts.envelope import MalformedRecord, Record
from contracts.ids import Position

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Seen:
    """`record` and `data` are None where `problem` says why it cannot be read as an event."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    time: datetime
    value: bytes | None = field(repr=False)
    record: Record | None = None
    data: dict[str, Any] | None = None
    problem: str = ""

    @property
    def service(self) -> str:
        return self.topic.rpartition(".")[2]

    @property
    def sequence(self) -> int:
        """0 for what has none."""
        return self.record.position.sequence if self.record else 0

    @property
    def place(self) -> str:
        """Where it stands, as people write it."""
        return str(self.record.position) if self.record else f"{self.service}/{self.partition}@{self.offset}"

    @property
    def type_name(self) -> str:
        """`InstalmentChanged`, with `.v2` and so on for later versions."""
        parts = self.record.type.split(".") if self.record else []
        return ".".join(parts[2:]).removesuffix(".v1") if len(parts) == 4 else "".join(parts[-1:])


def see(record: ConsumerRecord) -> Seen:
    """Reads whatever stands on a topic of ours; never raises."""
    found = _Found(record.topic, record.partition, record.offset, record.timestamp)
    try:
        read = Record.from_kafka(record.headers, record.value or b"")
        _check(read.position, found)
        data = orjson.loads(read.data)
        if not isinstance(data, dict):
            return found.problem(record.value, "its value is not a JSON object")
    except MalformedRecord as error:
        return found.problem(record.value, str(error))
    except orjson.JSONDecodeError as error:
        return found.problem(record.value, f"its value is not JSON: {error}")
    time = read.time if read.time.tzinfo else read.time.replace(tzinfo=UTC)
    return Seen(*found.where(), time, record.value, read, data)


@dataclass(frozen=True, slots=True)
class _Found:
    topic: str
    partition: int
    offset: int
    timestamp: int

    def where(self) -> tuple[str, int, int, int]:
        return self.topic, self.partition, self.offset, self.timestamp

    def problem(self, value: bytes | None, why: str) -> Seen:
        try:
            time = datetime.fromtimestamp(self.timestamp / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            time = EARLIEST
        return Seen(*self.where(), time, value, problem=why)


def _check(position: Position, found: _Found) -> None:
    if position.service != found.topic.rpartition(".")[2] or position.shard != found.partition:
        raise MalformedRecord(f"it calls itself {position}, which does not belong here")
