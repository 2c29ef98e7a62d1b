"""Commands on portal users with what belongs to them in tables, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.database import Pool
from chassis.decider import Do
from chassis.errors import NotFound
from chassis.log import Connection
from chassis.streams import Outcome
from contracts.envelope import Metadata
from services.identity.access import registry
from services.identity.contacts.views import KnownRecord, KnownRecords, contacts_of
from services.identity.persons.decider import PERSONS, ErasePerson
from services.identity.portals.views import PortalDoc, Portals, find_portal
from services.identity.subjects import user_subject
from services.identity.together import Together
from services.identity.users.decider import USERS, Delete, UserCommand
from services.identity.users.standing import IDENTIFICATION_TRIES, Standing, standing
from services.identity.users.state import User

DELETED = "the user was deleted"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a user stands: in his portal, and with the contacts that have his address."""

    user: User
    portal: PortalDoc
    standing: Standing
    contacts: Sequence[KnownRecord]

    @property
    def ask(self) -> tuple[str, ...]:
        """The attributes to ask for, e.g. `contact.customer_number`."""
        return self.portal.registration.second_identification if self.standing == "identify" else ()

    @property
    def tries_left(self) -> int | None:
        return IDENTIFICATION_TRIES - self.user.failed_identifications if self.standing == "identify" else None


class UserDesk:
    """Portal users as far as several tables and views are concerned."""

    def __init__(self, pool: Pool, together: Together, portals: Portals, records: KnownRecords) -> None:
        self._pool = pool
        self.together = together
        self.streams = together.streams
        self.portals = portals
        self.records = records

    async def carry_out(self, command: UserCommand, metadata: Metadata) -> Outcome:
        """Carries out a command with what follows from it in tables. Raises Rejected."""
        return await self.together.attempt(lambda connection: self.within(connection, command, metadata))

    async def within(self, connection: Connection, command: UserCommand, metadata: Metadata) -> Outcome:
        """The same in the transaction at hand."""
        outcome = await self.together.execute(connection, Do(USERS, command.user_id, command, metadata))
        await registry.keep(connection, outcome.events, self.streams.clock())
        return outcome

    async def delete(self, user_id: str, metadata: Metadata) -> Outcome:
        """Deletes a user and destroys his key; his contact stays. Raises Rejected."""

        async def work(connection: Connection) -> Outcome:
            person = user_subject(user_id)
            outcome = await self.within(connection, Delete(user_id), metadata)
            await self.together.execute(connection, Do(PERSONS, person, ErasePerson(person, DELETED), metadata))
            return outcome

        return await self.together.attempt(work)

    async def find(self, portal_id: str, email: str) -> str | None:
        """The user of a portal with this address."""
        async with self._pool.connection() as connection:
            return await registry.find_user(connection, portal_id, email)

    async def load(self, user_id: str) -> User:
        """The user now. Raises NotFound."""
        state = (await self.streams.load(USERS, user_id)).state
        if not isinstance(state, User):
            raise NotFound("user_not_found")
        return state

    async def place(self, user_id: str) -> Place:
        """Where the user stands now. Raises NotFound."""
        user = await self.load(user_id)
        portal = await find_portal(self.portals, user.portal_id)
        wanted = user.contact_id is None and user.email is not None
        found = await contacts_of(self.records, user.email or "") if wanted else []
        contacts = [contact for contact in found if contact.id not in user.left]
        return Place(user, portal, standing(user, len(contacts), portal.registration, self.streams.clock()), contacts)
