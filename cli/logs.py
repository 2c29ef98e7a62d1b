"""The event log of a service, opened with the credentials that are at hand, by whatever role."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from chassis.postgres_log import PostgresLog
from cli.audit.place import log_urls
from cli.problem import Problem

CONNECT_SECONDS = 10.0


@asynccontextmanager
async def open_log(service: str) -> AsyncIterator[PostgresLog]:
    """A service's log. Raises a Problem when it cannot be read."""
    url = log_urls([service])[service]

    async def configure(connection: AsyncConnection[Any]) -> None:
        await connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(service)))

    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        url, min_size=1, max_size=2, open=False, configure=configure, kwargs={"autocommit": True}
    )
    try:
        await pool.open(wait=True, timeout=CONNECT_SECONDS)
        yield await PostgresLog.connect(service, pool)
    except (psycopg.Error, PoolTimeout) as error:
        reason = str(error).strip().partition("\n")[0]
        raise Problem(f"The log of {service} cannot be read: {reason}", "Look at `portico status`.") from error
    finally:
        await pool.close(timeout=5)
