"""What the queries of all pages share: rows through the pool, and pages with a cursor behind their last item."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Depends, Query
from pydantic import TypeAdapter

from chassis.database import Pool
from chassis.errors import Rejected

T = TypeVar("T")
MAXIMUM_CURSOR = 1_000
Limit = Annotated[int, Query(ge=1, le=200, description="Most items of the page")]
Cursor = Annotated[str | None, Query(max_length=MAXIMUM_CURSOR, description="`next` of the page before")]


@dataclass(frozen=True, slots=True)
class Slice:
    """Which page of a list is wanted."""

    limit: int
    cursor: str | None


async def _wanted(limit: Limit = 50, cursor: Cursor = None) -> Slice:
    return Slice(limit, cursor)


Wanted = Annotated[Slice, Depends(_wanted)]
_TIMES = TypeAdapter(datetime)
UNCHANGED: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"ETag": {"description": "Send it as If-None-Match", "schema": {"type": "string"}}}},
    304: {"description": "Unchanged since the answer with the ETag in If-None-Match"},
}


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of many, and the cursor behind the last of them, null on the last page."""

    items: list[T]
    next: str | None


async def fetch(pool: Pool, statement: str, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
    """All rows of a statement of ours, which names its parameters and limits its rows."""
    async with pool.connection() as connection:
        rows: list[tuple[Any, ...]] = await (await connection.execute(statement, parameters, prepare=True)).fetchall()
    return rows


def paged(found: Sequence[T], limit: int, cursor_behind: Callable[[T], str]) -> Page[T]:
    """A page of at most `limit` of what was found, which is one more where there is another page."""
    items = list(found[:limit])
    return Page(items, cursor_behind(items[-1]) if len(found) > limit else None)


def time_text(time: datetime) -> str:
    """A time as the documents of views have it."""
    return str(_TIMES.dump_python(time, mode="json"))


def write_cursor(*parts: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def read_cursor(cursor: str, parts: int) -> list[str]:
    """The parts of a cursor that we wrote; raises Rejected for anything else."""
    try:
        if len(cursor) > MAXIMUM_CURSOR:
            raise ValueError("too long")
        read = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        raise Rejected("invalid_cursor") from None
    if not isinstance(read, list) or len(read) != parts or not all(isinstance(part, str) for part in read):
        raise Rejected("invalid_cursor")
    if any("\0" in part for part in read):
        raise Rejected("invalid_cursor")
    return read
