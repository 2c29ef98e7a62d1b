"""Secrets are never in events: they are written to tables, in the transaction of the command that makes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from chassis.database import Pool
from chassis.decider import Do
from chassis.errors import Conflict, Rejected
from chassis.log import Connection
from chassis.streams import Outcome, Streams

ATTEMPTS = 5

Write = Callable[[Connection, Outcome], Awaitable[None]]


async def carry_out(pool: Pool, streams: Streams, do: Do[Any, Any], write: Write) -> Outcome:
    """Carries out a command and writes what belongs to its events; both happen or neither.

    Raises Rejected when the rules refuse, and Conflict when others were faster `ATTEMPTS` times.
    """
    for attempt in range(ATTEMPTS):
        try:
            async with pool.connection() as connection, connection.transaction():
                (result,) = await streams.execute_all([do], connection)
                if isinstance(result, Rejected):
                    raise result
                if result.events:
                    await write(connection, result)
            return result
        except Conflict:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")
