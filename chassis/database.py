"""Connections to PostgreSQL: one bounded pool a process, every wait with a limit."""

from __future__ import annotations

import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

Pool = AsyncConnectionPool[Any]

ACQUIRE_SECONDS = 10
CONNECT_SECONDS = 5
STATEMENT_MS = 60_000
TRANSACTION_IDLE_MS = 10_000
#: Finds out within a minute that the other side is gone without a word.
KEEPALIVE: dict[str, Any] = {
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 4,
    "tcp_user_timeout": 60_000,
}


def make_pool(url: str, connections: int) -> Pool:
    """A pool of autocommit connections, not opened yet; statements and waits for a connection end by themselves.

    So does a transaction whose process stands still: it would keep its locks from everybody else.
    """
    return AsyncConnectionPool(
        url,
        min_size=2,
        max_size=connections,
        timeout=ACQUIRE_SECONDS,
        max_idle=60,
        open=False,
        check=_check,
        kwargs={
            "autocommit": True,
            "connect_timeout": CONNECT_SECONDS,
            "options": f"-c statement_timeout={STATEMENT_MS} "
            f"-c idle_in_transaction_session_timeout={TRANSACTION_IDLE_MS}",
            **KEEPALIVE,
        },
    )


async def _check(connection: AsyncConnection[Any]) -> None:
    """A connection on which something arrives unasked was most likely closed by the server: ask before it is used."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        await AsyncConnectionPool.check_connection(connection)


@asynccontextmanager
async def opened(pool: Pool) -> AsyncIterator[Pool]:
    """The pool, connected for the length of the block."""
    await pool.open(wait=True, timeout=ACQUIRE_SECONDS)
    try:
        yield pool
    finally:
        await pool.close(timeout=5)


@asynccontextmanager
async def open_pool(url: str, connections: int) -> AsyncIterator[Pool]:
    """A pool of its own for the length of the block."""
    async with opened(make_pool(url, connections)) as pool:
        yield pool
