"""Read models: documents folded by a pure function, kept in a versioned table, updated a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

from psycopg import sql
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

from chassis import arrays
from chassis.errors import Conflict
from chassis.grouping import Grouped
from chassis.log import Connection
from contracts.base import Event
from contracts.envelope import Envelope

D = TypeVar("D", bound=BaseModel)
MAXIMUM_ROWS = 1_000


@dataclass(frozen=True)
class View(Generic[D]):
    """A read model: which document an event belongs to, and what the document is after it.

    `evolve` returns None to delete. `indexes` are SQL expressions over `doc` (jsonb), e.g. `(doc->>'contact_id')`.
    A changed document or evolve is a new `version`: its table is built beside the old one from the topics.
    """

    name: str
    version: int
    document: type[D]
    events: tuple[type[Event], ...]
    key: Callable[[Envelope], str | None]
    evolve: Callable[[D | None, Envelope], D | None]
    indexes: Mapping[str, str] = field(default_factory=dict)

    @property
    def topics(self) -> tuple[str, ...]:
        """The services whose events it folds."""
        return tuple(sorted({event.service for event in self.events}))

    @property
    def consumer(self) -> str:
        """The name under which its checkpoints are kept."""
        return consumer_name(self.name, self.version)

    @property
    def table(self) -> str:
        return table_name(self.name, self.version)

    def fold(self, documents: dict[str, D | None], envelopes: Sequence[Envelope]) -> dict[str, D | None]:
        """Folds envelopes into documents by key; returns those that were touched."""
        touched: dict[str, D | None] = {}
        for envelope in envelopes:
            key = self.key(envelope)
            if key is not None:
                before = touched[key] if key in touched else documents.get(key)
                touched[key] = self.evolve(before, envelope)
        return touched


def consumer_name(view: str, version: int) -> str:
    """The name under which the checkpoints of a view are kept."""
    return f"view:{view}:v{version}"


def table_name(view: str, version: int) -> str:
    return f"view_{view}_v{version}"


class ViewHandler(Generic[D]):
    """Applies batches of events to a view's table: two statements a batch, however many events it has."""

    def __init__(self, view: View[D]) -> None:
        self.view = view
        self.name = view.consumer
        self.table = view.table
        self.events: tuple[type[Event], ...] = view.events
        self.durable = False

    def beside(self, rebuild: int) -> Self:
        """The same for a table and checkpoints of a rebuild's own."""
        other = copy(self)
        other.name = f"{self.view.consumer}:r{rebuild}"
        other.table = f"{self.view.table}_r{rebuild}"
        return other

    async def prepare(self, connection: Connection) -> None:
        """Makes the table and its indexes where they are missing."""
        table = sql.Identifier(self.table)
        await connection.execute(
            sql.SQL("CREATE TABLE IF NOT EXISTS {} (key text PRIMARY KEY, doc jsonb NOT NULL)").format(table)
        )
        for name, expression in self.view.indexes.items():
            index = sql.Identifier(f"{self.table}_{name}")
            statement = sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} ({})")
            await connection.execute(statement.format(index, table, sql.SQL(expression)))

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        """Folds a batch in the given transaction.

        Raises Conflict when another instance made one of the documents meanwhile: the batch is then folded again.
        """
        keys = sorted({key for envelope in envelopes if (key := self.view.key(envelope)) is not None})
        if not keys:
            return
        table = sql.Identifier(self.table)
        select = sql.SQL("SELECT key, doc::text FROM {} WHERE key = ANY(%s) ORDER BY key FOR UPDATE").format(table)
        rows = await (await connection.execute(select, (keys,))).fetchall()
        load = self.view.document.model_validate_json
        touched = self.view.fold({key: load(doc) for key, doc in rows}, envelopes)
        kept = {key: document.model_dump_json() for key, document in touched.items() if document is not None}
        gone = [key for key, document in touched.items() if document is None]
        if kept:
            upsert = sql.SQL(
                "INSERT INTO {} AS t (key, doc) SELECT * FROM unnest(%s::text[], %s::jsonb[]) "
                "ON CONFLICT (key) DO UPDATE SET doc = EXCLUDED.doc WHERE t.key = ANY(%s)"
            ).format(table)
            loaded = [key for key, _ in rows]
            cursor = await connection.execute(upsert, (list(kept), list(kept.values()), loaded))
            if cursor.rowcount != len(kept):
                raise Conflict(self.table, len(kept), cursor.rowcount)
        if gone:
            await connection.execute(sql.SQL("DELETE FROM {} WHERE key = ANY(%s)").format(table), (gone,))


class ViewReader(Generic[D]):
    """Queries a view's table."""

    def __init__(self, view: View[D], pool: AsyncConnectionPool[Any]) -> None:
        self.view = view
        self._pool = pool
        self._select = sql.SQL("SELECT key, doc::text FROM {} WHERE key = ANY(%b)").format(sql.Identifier(view.table))
        self._documents = Grouped(self._fetch)

    async def get(self, key: str) -> D | None:
        """The document with this key."""
        return (await self._documents.load([key])).get(key)

    async def get_many(self, keys: Sequence[str]) -> dict[str, D]:
        """The documents with these keys, by key; those that do not exist are left out."""
        return await self._documents.load(keys)

    async def find(
        self, where: str, parameters: Sequence[object], *, order: str = "key", limit: int = 100, offset: int = 0
    ) -> list[D]:
        """Documents for which an SQL condition over `key` and `doc` holds; write it so that an index serves it."""
        rows = await self._rows(where, parameters, order, limit, offset)
        return [self.view.document.model_validate_json(doc) for _, doc in rows]

    async def aggregate(self, columns: str, where: str, parameters: Sequence[object]) -> tuple[Any, ...]:
        """One row of SQL aggregates over the documents for which a condition holds."""
        statement = sql.SQL("SELECT {} FROM {} WHERE {}").format(
            sql.SQL(columns), sql.Identifier(self.view.table), sql.SQL(where)
        )
        async with self._pool.connection() as connection:
            row = await (await connection.execute(statement, parameters)).fetchone()
        assert row is not None  # noqa: S101 an aggregate always has a row
        return tuple(row)

    async def _fetch(self, keys: list[str]) -> dict[str, D]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(self._select, (arrays.texts(keys),), prepare=True)
            return {key: self.view.document.model_validate_json(doc) for key, doc in await cursor.fetchall()}

    async def _rows(
        self, where: str, parameters: Sequence[object], order: str, limit: int, offset: int
    ) -> list[tuple[str, str]]:
        statement = sql.SQL("SELECT key, doc::text FROM {} WHERE {} ORDER BY {} LIMIT {} OFFSET {}").format(
            sql.Identifier(self.view.table),
            sql.SQL(where),
            sql.SQL(order),
            sql.Literal(min(limit, MAXIMUM_ROWS)),
            sql.Literal(offset),
        )
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(statement, parameters)).fetchall()
        return [(key, doc) for key, doc in rows]
