"""How things are named: ids, streams, persons and positions, the same in every service."""

from __future__ import annotations

from hashlib import sha1
from typing import NamedTuple
from uuid import UUID

_NAMESPACE = UUID("6f1d3c1e-5d0a-5f0e-9b57-0d7e3f6a9c21")


def record_id(entity: str, external_id: str) -> str:
    """The id of a record that another system names: the same external id always yields the same id, a UUID v5."""
    digest = sha1(_NAMESPACE.bytes + f"{entity}/{external_id}".encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def billing_event_id(contract_id: str, external_id: str) -> str:
    """The id of a billing event: the ERP's own id is unique within a contract."""
    return record_id("billing_event", f"{contract_id}/{external_id}")


def stream(kind: str, id_: str) -> str:
    """The name of a stream, e.g. `instalments/4f1c...`."""
    return f"{kind}/{id_}"


def stream_id(name: str) -> str:
    """The id behind the kind of a stream: `instalments/4f1c...` -> `4f1c...`."""
    return name.partition("/")[2]


def stream_kind(name: str) -> str:
    """The kind of a stream: `instalments/4f1c...` -> `instalments`."""
    return name.partition("/")[0]


class Position(NamedTuple):
    """Where an event stands: service, shard and gapless sequence. Written `billing/2:1234`; it is the event's id."""

    service: str
    shard: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.service}/{self.shard}:{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Reads `billing/2:1234`; raises ValueError for anything else."""
        service, slash, rest = text.strip().partition("/")
        shard, colon, sequence = rest.partition(":")
        if not (service and slash and colon and shard.isdecimal() and sequence.isdecimal()):
            raise ValueError(f"not a position: {text!r}")
        return cls(service, int(shard), int(sequence))
