"""An event with all that is known about it, and its form on Kafka: CloudEvents 1.0, binary binding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

import orjson

from contracts.base import ORGANISATION, Event
from contracts.ids import Position

CONTENT_TYPE = b"application/json"
METADATA_HEADERS = ("ce_correlationid", "ce_causationid", "ce_actor", "traceparent", "ce_actedas")
"""The headers of the fields of Metadata, in their order."""


class Metadata(NamedTuple):
    """Why and by whom: stored with each event and published as CloudEvents extensions.

    `acted_as` is the portal user as whom the actor, a member of staff, did it.
    """

    correlation_id: str | None = None
    causation_id: str | None = None
    actor: str | None = None
    traceparent: str | None = None
    acted_as: str | None = None

    def to_json(self) -> str:
        return self.encoded().decode()

    def known(self) -> dict[str, str]:
        """What is known, in the order of the fields."""
        return {name: value for name, value in zip(self._fields, self, strict=True) if value}

    def encoded(self) -> bytes:
        """JSON of what is known: the text that is stored and sealed."""
        return orjson.dumps(self.known())

    @classmethod
    def from_mapping(cls, values: Mapping[str, str]) -> Metadata:
        return cls(*map(values.get, cls._fields))


class Record(NamedTuple):
    """A stored event: its bytes are what is published and hashed."""

    position: Position
    stream: str
    version: int
    type: str
    time: datetime
    metadata: Metadata
    data: bytes

    def headers(self) -> list[tuple[str, bytes]]:
        """The Kafka headers of the CloudEvents binary binding; every value is UTF-8."""
        position, metadata = self.position, self.metadata
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", str(position).encode()),
            ("ce_type", self.type.encode()),
            ("ce_source", f"/{ORGANISATION}/{position.service}".encode()),
            ("ce_subject", self.stream.encode()),
            ("ce_time", self.time.isoformat().encode()),
            ("ce_sequence", b"%d" % position.sequence),
            ("ce_streamversion", b"%d" % self.version),
            ("ce_dataschema", f"urn:{self.type.replace('.', ':')}".encode()),
        ]
        for name, value in zip(METADATA_HEADERS, metadata, strict=True):
            if value:
                headers.append((name, value.encode()))
        headers.append(("content-type", CONTENT_TYPE))
        return headers

    @classmethod
    def from_kafka(cls, headers: Iterable[tuple[str, bytes | None]], value: bytes) -> Record:
        """Reads a record of one of Portico's own topics; raises MalformedRecord when a header is missing or wrong."""
        texts = {name: raw.decode("utf-8", "replace") for name, raw in headers if raw is not None}
        try:
            return cls(
                position=Position.parse(texts["ce_id"]),
                stream=texts["ce_subject"],
                version=int(texts["ce_streamversion"]),
                type=texts["ce_type"],
                time=datetime.fromisoformat(texts["ce_time"]),
                metadata=Metadata(*map(texts.get, METADATA_HEADERS)),
                data=value,
            )
        except (KeyError, ValueError) as error:
            raise MalformedRecord(f"not a record of a Portico topic: {error}") from error


class MalformedRecord(ValueError):
    """A Kafka record that lacks what every published event carries."""


class Envelope(NamedTuple):
    """A record with its event loaded, in its newest version and with personal fields opened where possible."""

    record: Record
    event: Event

    @property
    def position(self) -> Position:
        return self.record.position

    @property
    def stream(self) -> str:
        return self.record.stream

    @property
    def time(self) -> datetime:
        return self.record.time

    @property
    def metadata(self) -> Metadata:
        return self.record.metadata
