"""What seals claim about history, from the seals table and from the topic, sorted on disk to keep memory small."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from cli.audit.history import LogHistory, raw_records
from cli.events.reading import Reader
from contracts.seal import Seal

TABLE = """
CREATE TABLE claims (service TEXT, shard INTEGER, last INTEGER, anchor INTEGER, first INTEGER, seal TEXT,
                     sealed_at TEXT, signature TEXT,
                     PRIMARY KEY (service, shard, last, anchor, first, seal, signature)) WITHOUT ROWID
"""
IN_ORDER = """
SELECT anchor, first, last, seal, sealed_at, signature FROM claims
WHERE service = ? AND shard = ? ORDER BY last, anchor
"""
FETCHED = 1_000


@dataclass(frozen=True, slots=True)
class Claim:
    """A seal, and whether it comes from the topic (an anchor) or from the table beside the events."""

    seal: Seal
    anchor: bool


class Claims:
    """All claims; those that are said twice count once."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self.unreadable = 0

    def add(self, seals: Iterable[Seal], *, anchor: bool) -> None:
        rows = (
            (s.service, s.shard, s.last, anchor, s.first, s.seal, s.sealed_at.isoformat(), s.signature) for s in seals
        )
        self._database.executemany("INSERT OR IGNORE INTO claims VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def of(self, service: str, shard: int) -> Iterator[Claim]:
        """In the order of their ends; at the same end those of the table first."""
        with closing(self._database.execute(IN_ORDER, (service, shard))) as cursor:
            while rows := cursor.fetchmany(FETCHED):
                for anchor, first, last, seal, sealed_at, signature in rows:
                    found = Seal.model_construct(
                        service=service,
                        shard=shard,
                        first=first,
                        last=last,
                        seal=seal,
                        sealed_at=datetime.fromisoformat(sealed_at),
                        signature=signature,
                    )
                    yield Claim(found, bool(anchor))

    def begins(self, service: str, shard: int) -> int:
        """The lowest sequence that any claim covers; 1 without claims."""
        statement = "SELECT coalesce(min(first), 1) FROM claims WHERE service = ? AND shard = ?"
        return int(self._database.execute(statement, (service, shard)).fetchone()[0])

    async def add_table(self, log: LogHistory) -> None:
        async for rows in log.seals():
            self.add((_seal(log.service, row) for row in rows), anchor=False)

    async def add_topic(self, reader: Reader, services: Iterable[str]) -> None:
        """Reads the topic once, up to its present end."""
        wanted = set(services)
        async for records in _records(reader):
            seals = [seal for record in records if (seal := self._anchor(record)) is not None]
            self.add((seal for seal in seals if seal.service in wanted), anchor=True)

    def _anchor(self, record: Any) -> Seal | None:
        try:
            return Seal.model_validate_json(record.value or b"")
        except ValidationError:
            self.unreadable += 1
            return None


async def _records(reader: Reader) -> AsyncIterator[list[Any]]:
    async for records in raw_records(reader, await reader.beginnings(), await reader.ends()):
        yield records


@contextmanager
def open_claims() -> Iterator[Claims]:
    """An empty collection in a temporary file."""
    with closing(sqlite3.connect("")) as database:
        database.execute(TABLE)
        yield Claims(database)


def _seal(service: str, row: tuple[Any, ...]) -> Seal:
    shard, first, last, seal, signature, sealed_at = row
    return Seal.model_construct(
        service=service,
        shard=shard,
        first=first,
        last=last,
        seal=seal.hex(),
        sealed_at=sealed_at.astimezone(UTC),
        signature=base64.b64encode(signature or b"").decode(),
    )
