"""What anybody may ask for by an address: to register, for a link once more, for a new password.

A wish is written down and answered at once, whatever is known of the address: same row, same answer, same time. It
is fulfilled a moment later, where nobody sees how long it takes and whether anything comes of it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog
from psycopg.types.json import Json
from pydantic import BaseModel, ConfigDict

from chassis.database import Pool
from chassis.decider import Do
from chassis.errors import Rejected
from chassis.log import Connection
from contracts.common import Language
from contracts.envelope import Metadata
from contracts.identity import UserRegistered
from services.identity.access import registry
from services.identity.addresses import normalised
from services.identity.contacts.matching import look_again
from services.identity.subjects import user_subject
from services.identity.together import Together
from services.identity.users.decider import USERS, Register, RequestActivation, RequestReset, UserCommand

WishKind = Literal["registration", "activation", "reset"]
POLL_SECONDS = 1.0
LEASE = timedelta(seconds=30)
MAXIMUM_TRIES = 10

log = structlog.get_logger()


class Details(BaseModel):
    """What came with a wish; `phc` is the hash of the password that was chosen."""

    model_config = ConfigDict(frozen=True)

    correlation_id: str | None = None
    phc: str | None = None
    name: str | None = None
    language: Language = "de"
    already_customer: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """A wish for an address, which may or may not be a user's."""

    kind: WishKind
    portal_id: str
    email: str
    details: Details


class Wishes:
    """The wishes of all instances, each fulfilled once."""

    def __init__(self, pool: Pool, together: Together, registered: Callable[[], None]) -> None:
        self._pool = pool
        self._registered = registered
        self._together = together
        self._clock = together.streams.clock
        self._woken = asyncio.Event()

    async def add(self, wish: Wish) -> None:
        """Writes a wish down, for good."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "INSERT INTO wishes (kind, portal_id, email, details, due_at) VALUES (%s, %s, %s, %s, %s)",
                (wish.kind, wish.portal_id, wish.email, Json(wish.details.model_dump()), self._clock()),
            )
        self._woken.set()

    async def run(self) -> None:
        """Fulfils wishes as long as the service runs."""
        while True:
            self._woken.clear()
            while await self._next():
                pass
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), POLL_SECONDS)

    async def _next(self) -> bool:
        """One wish; what fails is tried again later, and does not keep the others waiting."""
        now = self._clock()
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "UPDATE wishes SET tries = tries + 1, due_at = %s WHERE wish_id = (SELECT wish_id FROM wishes "
                "WHERE due_at <= %s ORDER BY wish_id LIMIT 1 FOR UPDATE SKIP LOCKED) "
                "RETURNING wish_id, tries, kind, portal_id, email, details",
                (now + LEASE, now),
            )
            row: tuple[Any, ...] | None = await cursor.fetchone()
        if row is None:
            return False
        number, tries, kind, portal_id, email, details = row
        if tries > MAXIMUM_TRIES:
            log.error("wish given up", kind=kind, tries=tries)
            await self._together.attempt(lambda connection: _done(connection, number))
            return True
        await self._fulfil(number, Wish(kind, portal_id, email, Details.model_validate(details)))
        return True

    async def _fulfil(self, number: int, wish: Wish) -> None:
        async def work(connection: Connection) -> None:
            if not await _done(connection, number):
                return
            user_id = await registry.find_user(connection, wish.portal_id, wish.email)
            command = _command(wish, user_id, self._clock())
            if command is not None:
                metadata = Metadata(correlation_id=wish.details.correlation_id)
                outcome = await self._together.execute(connection, Do(USERS, command.user_id, command, metadata))
                await registry.keep(connection, outcome.events, self._clock())
                if wish.details.phc and any(isinstance(event, UserRegistered) for event in outcome.events):
                    await registry.choose_password(connection, user_subject(command.user_id), wish.details.phc)
                elif wish.details.phc:
                    await registry.doubt_password(connection, user_subject(command.user_id))
                await look_again(connection, [normalised(wish.email)], self._clock())

        try:
            await self._together.attempt(work)
            self._registered()
        except Rejected as refused:
            log.info("wish refused", kind=wish.kind, reason=refused.code)
            await self._together.attempt(lambda connection: _refused(connection, number, wish))


async def _refused(connection: Connection, number: int, wish: Wish) -> None:
    """Also where no further mail is sent, it is in doubt whose password an earlier one carries."""
    await _done(connection, number)
    user_id = await registry.find_user(connection, wish.portal_id, wish.email)
    if wish.details.phc and user_id:
        await registry.doubt_password(connection, user_subject(user_id))


def _command(wish: Wish, user_id: str | None, at: datetime) -> UserCommand | None:
    """What a wish means: nothing where it is for an address that nobody has."""
    if wish.kind == "registration":
        details = wish.details
        return Register(
            user_id=user_id or str(uuid.uuid4()),
            portal_id=wish.portal_id,
            email=wish.email,
            name=details.name,
            language=details.language,
            already_customer=details.already_customer,
            at=at,
        )
    if user_id is None:
        return None
    return RequestActivation(user_id, at) if wish.kind == "activation" else RequestReset(user_id, at)


async def _done(connection: Connection, number: int) -> bool:
    """Takes a wish off the list; false when another instance has done so."""
    cursor = await connection.execute("DELETE FROM wishes WHERE wish_id = %s", (number,))
    return cursor.rowcount == 1
