"""Read models: documents folded by a pure function, kept in a versioned table, updated a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache
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

    `evolve` returns None to delete. `indexes` are SQL expressions over `doc` (jsonb), e.g. `(doc->>'contact_id')`, or
    begin with their method, e.g. `USING gin ((doc->'words'))`.
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
            columns = sql.SQL(expression if expression.startswith("USING ") else f"({expression})")
            await connection.execute(sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} {}").format(index, table, columns))

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        """Folds a batch in the given transaction.

        Raises Conflict when another instance made one of the documents meanwhile: the batch is then folded again.
        """
        keys = sorted({key for envelope in envelopes if (key := self.view.key(envelope)) is not None})
        if not keys:
            return
        before = await self.load(connection, keys)
        await self.store(connection, self.view.fold(dict(before), envelopes), before.keys())

    async def load(self, connection: Connection, keys: Sequence[str]) -> dict[str, D]:
        """The documents with these keys, locked to the end of the transaction; those that do not exist are left out."""
        select, _, _ = _statements(self.table)
        rows = await (await connection.execute(select, (arrays.texts(keys),), prepare=True)).fetchall()
        load = self.view.document.model_validate_json
        return {key: load(doc) for key, doc in rows}

    async def store(self, connection: Connection, touched: Mapping[str, D | None], loaded: Set[str]) -> None:
        """Writes documents, and deletes those that are None; `loaded` are the keys that were in the table before.

        Raises Conflict when one that was not is there by now.
        """
        _, upsert, delete = _statements(self.table)
        kept = {key: document.model_dump_json() for key, document in touched.items() if document is not None}
        if kept:
            made = [key for key in kept if key not in loaded]
            parameters = arrays.texts(kept), arrays.texts(kept.values()), arrays.texts(made)
            cursor = await connection.execute(upsert, parameters, prepare=True)
            if cursor.rowcount != len(kept):
                raise Conflict(self.table, len(kept), cursor.rowcount)
        if gone := [key for key in loaded if touched.get(key) is None]:
            await connection.execute(delete, (arrays.texts(sorted(gone)),), prepare=True)


@lru_cache(maxsize=1_000)
def _statements(table: str) -> tuple[str, str, str]:
    """What selects, puts and deletes documents of a table by their keys."""
    name = sql.Identifier(table)
    return (
        sql.SQL("SELECT key, doc::text FROM {} WHERE key = ANY(%b) ORDER BY key FOR UPDATE").format(name).as_string(),
        sql.SQL(
            "INSERT INTO {} AS t (key, doc) SELECT n.key, n.doc::jsonb FROM unnest(%b, %b) AS n(key, doc) "
            "ON CONFLICT (key) DO UPDATE SET doc = EXCLUDED.doc WHERE t.key <> ALL(%b)"
        )
        .format(name)
        .as_string(),
        sql.SQL("DELETE FROM {} WHERE key = ANY(%b)").format(name).as_string(),
    )


class Documents:
    """Documents of views by their keys. Those that are asked for at the same time share a query."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool
        self._views: dict[str, View[Any]] = {}
        self._statements: dict[tuple[str, ...], str] = {}
        self._grouped = Grouped(self._fetch)

    async def load(self, view: View[D], keys: Sequence[str]) -> dict[str, D]:
        """The documents of a view with these keys; those that do not exist are left out."""
        self._views[view.table] = view
        found = await self._grouped.load([f"{view.table}/{key}" for key in keys])
        return {place.partition("/")[2]: document for place, document in found.items()}

    async def _fetch(self, places: list[str]) -> dict[str, Any]:
        keys: dict[str, list[str]] = {}
        for place in places:
            table, _, key = place.partition("/")
            keys.setdefault(table, []).append(key)
        tables = tuple(sorted(keys))
        if tables not in self._statements:
            self._statements[tables] = " UNION ALL ".join(map(_select, tables))
        async with self._pool.connection() as connection:
            parameters = [arrays.texts(keys[table]) for table in tables]
            cursor = await connection.execute(self._statements[tables], parameters, prepare=True)
            rows = await cursor.fetchall()
        return {f"{table}/{key}": self._views[table].document.model_validate_json(doc) for table, key, doc in rows}


def _select(table: str) -> str:
    statement = sql.SQL("SELECT {} AS view, key, doc::text FROM {} WHERE key = ANY(%b)")
    return statement.format(sql.Literal(table), sql.Identifier(table)).as_string()


class ViewReader(Generic[D]):
    """Queries a view's table. Readers that share `documents` share queries for documents."""

    def __init__(self, view: View[D], pool: AsyncConnectionPool[Any], documents: Documents | None = None) -> None:
        self.view = view
        self._pool = pool
        self._documents = documents or Documents(pool)

    async def get(self, key: str) -> D | None:
        """The document with this key."""
        return (await self.get_many([key])).get(key)

    async def get_many(self, keys: Sequence[str]) -> dict[str, D]:
        """The documents with these keys, by key; those that do not exist are left out."""
        return await self._documents.load(self.view, keys)

    async def find(
        self, where: str, parameters: Sequence[object], *, order: str = "key", limit: int = 100, offset: int = 0
    ) -> list[D]:
        """Documents for which an SQL condition over `key` and `doc` holds; write it so that an index serves it."""
        rows = await self._rows(where, parameters, order, limit, offset)
        return [self.view.document.model_validate_json(doc) for _, doc in rows]

    def totals(
        self, by: str, within: str, columns: str, where: str, parameters: Callable[[], Mapping[str, object]]
    ) -> Grouped[dict[str, tuple[Any, ...]]]:
        """SQL aggregates over the documents for which a condition holds, by one expression and within that by another.

        Those that are asked for at the same time share a query, which gets the parameters of its moment.
        """
        statement = sql.SQL("SELECT {}, {}, {} FROM {} WHERE {} = ANY(%(keys)b) AND {} GROUP BY 1, 2").format(
            *map(sql.SQL, (by, within, columns)), sql.Identifier(self.view.table), *map(sql.SQL, (by, where))
        )
        query = statement.as_bytes()

        async def fetch(keys: list[str]) -> dict[str, dict[str, tuple[Any, ...]]]:
            found: dict[str, dict[str, tuple[Any, ...]]] = {}
            async with self._pool.connection() as connection:
                cursor = await connection.execute(query, {**parameters(), "keys": arrays.texts(keys)}, prepare=True)
                for key, inner, *values in await cursor.fetchall():
                    found.setdefault(key, {})[inner] = tuple(values)
            return found

        return Grouped(fetch)

    def firsts(
        self, by: str, sections: Sequence[str], order: str, limit: int, parameters: Callable[[], Mapping[str, object]]
    ) -> Grouped[list[D]]:
        """The first documents of each value of an expression: of the first section, then of the next, each in an order.

        A section is an SQL condition. Values that are asked for at the same time share a query, which gets the
        parameters of its moment; write it so that an index has each section in its order.
        """
        section = "(SELECT {}::int AS section, key, doc FROM {} WHERE {} = wanted.by AND {} ORDER BY {} LIMIT {})"
        parts = [
            sql.SQL(section).format(
                sql.Literal(number),
                sql.Identifier(self.view.table),
                *map(sql.SQL, (by, each, order)),
                sql.Literal(limit),
            )
            for number, each in enumerate(sections)
        ]
        statement = sql.SQL(
            "SELECT wanted.by, doc::text FROM unnest(%(keys)b::text[]) AS wanted (by), LATERAL ({}) AS found"
            " ORDER BY wanted.by, section, {}"
        ).format(sql.SQL(" UNION ALL ").join(parts), sql.SQL(order))
        query = statement.as_bytes()

        async def fetch(keys: list[str]) -> dict[str, list[D]]:
            found: dict[str, list[D]] = {}
            async with self._pool.connection() as connection:
                cursor = await connection.execute(query, {**parameters(), "keys": arrays.texts(keys)}, prepare=True)
                for key, doc in await cursor.fetchall():
                    documents = found.setdefault(key, [])
                    if len(documents) < limit:
                        documents.append(self.view.document.model_validate_json(doc))
            return found

        return Grouped(fetch)

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
