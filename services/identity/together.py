"""Secrets are never in events: they are written to tables, in the transaction of the command that makes them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from chassis.database import Pool
from chassis.decider import Do
from chassis.errors import Conflict, Rejected
from chassis.log import Connection
from chassis.streams import Outcome, Streams

T = TypeVar("T")
ATTEMPTS = 10
PAUSE_SECONDS = 0.02
AT_ONCE = 4
"""Each holds a connection while it needs a second one for keys: the pool must never be full of waiting ones."""

Write = Callable[[Connection, Outcome], Awaitable[None]]


class Together:
    """Transactions that hold both events and rows, a few at a time."""

    def __init__(self, pool: Pool, streams: Streams) -> None:
        self._pool = pool
        self.streams = streams
        self._free = asyncio.Semaphore(AT_ONCE)

    async def attempt(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Does the work in a transaction, again when others were faster; raises Conflict after `ATTEMPTS` times."""
        async with self._free:
            return await _attempt(self._pool, work)

    async def execute(self, connection: Connection, do: Do[Any, Any]) -> Outcome:
        """Carries out a command in the transaction at hand. Raises Rejected."""
        return await _execute(self.streams, connection, do)


async def carry_out(pool: Pool, streams: Streams, do: Do[Any, Any], write: Write) -> Outcome:
    """Carries out a command and writes what belongs to its events; both happen or neither.

    Raises Rejected when the rules refuse, and Conflict when others were faster `ATTEMPTS` times.
    """

    async def work(connection: Connection) -> Outcome:
        result = await _execute(streams, connection, do)
        if result.events:
            await write(connection, result)
        return result

    return await _attempt(pool, work)


async def _execute(streams: Streams, connection: Connection, do: Do[Any, Any]) -> Outcome:
    (result,) = await streams.execute_all([do], connection)
    if isinstance(result, Rejected):
        raise result
    return result


async def _attempt(pool: Pool, work: Callable[[Connection], Awaitable[T]]) -> T:
    for attempt in range(ATTEMPTS):
        try:
            async with pool.connection() as connection, connection.transaction():
                return await work(connection)
        except Conflict:
            if attempt == ATTEMPTS - 1:
                raise
            await asyncio.sleep(PAUSE_SECONDS * (attempt + random.random()))  # noqa: S311 who goes first next time
    raise AssertionError("unreachable: the last attempt returns or raises")
