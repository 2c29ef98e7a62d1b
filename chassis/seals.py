"""Seals the history of each shard: a hash chain over its events, so that nothing behind a seal can change unnoticed.

Each event has a link, SHA-256(the link before, the event); a seal is the link at the end of a batch. So a seal says the
same wherever batches were cut, and two relays or a crash cannot make two chains out of one history.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import Struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chassis.log import Connection
from contracts.envelope import Record
from contracts.seal import FORM, Seal

FIXED = Struct(">qiqIIII")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

LAST = """
SELECT c.shard, s.last, s.seal FROM unnest(%s::smallint[]) AS c(shard)
CROSS JOIN LATERAL (SELECT last, seal FROM seals WHERE shard = c.shard ORDER BY first DESC LIMIT 1) s
"""
SAVE = """
WITH sealed AS (
    INSERT INTO seals (shard, first, last, seal, sealed_at, signature)
    SELECT * FROM unnest(%s::smallint[], %s::bigint[], %s::bigint[], %s::bytea[], %s::timestamptz[], %s::bytea[])
)
UPDATE relay_cursors SET sequence = at.sequence FROM unnest(%s::smallint[], %s::bigint[]) AS at (shard, sequence)
WHERE relay_cursors.shard = at.shard
"""


@dataclass(frozen=True, slots=True)
class Link:
    """The chain of a shard up to a sequence."""

    sequence: int
    seal: bytes


def beginning(service: str, shard: int, sequence: int = 0) -> Link:
    """What the first link holds in place of one before; `sequence` is 0, or the last event older than the chain."""
    return Link(sequence, sha256(f"{FORM} {service}/{shard}:{sequence}".encode()).digest())


def link(  # noqa: PLR0917 the facts of an event, called once for each
    before: bytes,
    sequence: int,
    version: int,
    microseconds: int,
    stream: bytes,
    type_: bytes,
    metadata: bytes,
    data: bytes,
) -> bytes:
    """The next link. Numbers have a fixed width and texts a length before them, so that nothing can move between."""
    fixed = FIXED.pack(sequence, version, microseconds, len(stream), len(type_), len(metadata), len(data))
    return sha256(b"".join((before, fixed, stream, type_, metadata, data))).digest()


def chained(before: bytes, records: Iterable[Record]) -> bytes:
    """The link after these records."""
    for record in records:
        before = link(
            before,
            record.position.sequence,
            record.version,
            (record.time - EPOCH) // MICROSECOND,
            record.stream.encode(),
            record.type.encode(),
            record.metadata.encoded(),
            record.data,
        )
    return before


class Notary:
    """Seals what a relay publishes for one service, signed when there is a key (32 bytes, Ed25519)."""

    def __init__(self, service: str, key: bytes | None) -> None:
        self._service = service
        self._key = Ed25519PrivateKey.from_private_bytes(key) if key else None

    async def links(self, connection: Connection, cursors: Mapping[int, int]) -> dict[int, Link]:
        """The last link of each shard. A log older than seals begins its chain at the relay's cursor."""
        found = await (await connection.execute(LAST, (list(cursors),))).fetchall()
        last = {shard: Link(sequence, seal) for shard, sequence, seal in found}
        return {shard: last.get(shard) or beginning(self._service, shard, cursors[shard]) for shard in cursors}

    def seal(self, shard: int, before: Link, records: Iterable[Record]) -> Seal | None:
        """Seals those of the records that follow the last link; None when all of them are sealed already."""
        fresh = [record for record in records if record.position.sequence > before.sequence]
        if not fresh:
            return None
        seal = Seal(
            service=self._service,
            shard=shard,
            first=before.sequence + 1,
            last=fresh[-1].position.sequence,
            seal=chained(before.seal, fresh).hex(),
            sealed_at=datetime.now(UTC),
        )
        if self._key is None:
            return seal
        signature = base64.b64encode(self._key.sign(seal.statement)).decode()
        return seal.model_copy(update={"signature": signature})


async def save(session: Connection, cursors: Mapping[int, int], seals: Sequence[Seal]) -> None:
    """Moves the relay's cursors of some shards and keeps their seals, in one statement.

    Raises psycopg's UniqueViolation, and moves nothing, when another relay has sealed some of these events meanwhile.
    """
    columns = (
        [seal.shard for seal in seals],
        [seal.first for seal in seals],
        [seal.last for seal in seals],
        [bytes.fromhex(seal.seal) for seal in seals],
        [seal.sealed_at for seal in seals],
        [base64.b64decode(seal.signature) or None for seal in seals],
    )
    await session.execute(SAVE, (*columns, list(cursors), list(cursors.values())))


def is_signed(seal: Seal, keys: Iterable[Ed25519PublicKey]) -> bool:
    """Whether one of the keys made the signature of this seal."""
    for key in keys:
        try:
            key.verify(base64.b64decode(seal.signature), seal.statement)
        except (InvalidSignature, ValueError):
            continue
        return True
    return False
