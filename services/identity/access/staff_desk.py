"""Members of staff with what is secret of them: registering, passwords, signing in."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from chassis.auth import Principal, Unauthenticated
from chassis.decider import Do
from chassis.errors import NotFound, Rejected
from chassis.log import Connection
from chassis.streams import Outcome
from contracts.common import Language
from contracts.envelope import Metadata
from services.identity.access import links as one_time
from services.identity.access import registry
from services.identity.access import sessions as session_table
from services.identity.access.credentials import STAFF_REALM, Credentials
from services.identity.access.links import Links
from services.identity.access.passwords import Passwords
from services.identity.access.sessions import Session, Sessions
from services.identity.addresses import checked, normalised
from services.identity.staff.decider import STAFF, BlockStaff, ChangeStaffPassword, RegisterStaff, StaffCommand
from services.identity.staff.state import Member
from services.identity.subjects import id_of, staff_subject
from services.identity.together import Together


@dataclass(frozen=True, slots=True)
class NewMember:
    """Who shall be able to sign in."""

    email: str
    name: str
    groups: tuple[str, ...]
    roles: tuple[str, ...]
    language: Language


class StaffDesk:
    """The one place where members of staff change."""

    def __init__(
        self, together: Together, credentials: Credentials, passwords: Passwords, sessions: Sessions, links: Links
    ) -> None:
        self._together = together
        self._credentials = credentials
        self._passwords = passwords
        self._sessions = sessions
        self._links = links
        self.clock = together.streams.clock

    async def register(self, member: NewMember, password: str | None, metadata: Metadata) -> tuple[str, Outcome]:
        """A new member of staff, who may sign in at once when a password is given. Raises Rejected."""
        staff_id, email = str(uuid.uuid4()), checked(member.email)
        phc = await self._passwords.hash(password, email, member.name) if password is not None else None
        command = RegisterStaff(staff_id, email, member.name, member.groups, member.roles, member.language)

        async def work(connection: Connection) -> Outcome:
            outcome = await self._together.execute(connection, Do(STAFF, staff_id, command, metadata))
            cursor = await connection.execute(
                "INSERT INTO staff (staff_id, email) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (staff_id, normalised(email)),
            )
            if cursor.rowcount == 0:
                raise Rejected("staff_exists")
            if phc is not None:
                await registry.set_password(connection, staff_subject(staff_id), phc)
            return outcome

        return staff_id, await self._together.attempt(work)

    async def change(self, command: StaffCommand, metadata: Metadata) -> Outcome:
        """Groups, roles, blocking. Raises Rejected."""

        async def work(connection: Connection) -> Outcome:
            outcome = await self._together.execute(connection, Do(STAFF, command.staff_id, command, metadata))
            if isinstance(command, BlockStaff):
                await session_table.end_all(connection, staff_subject(command.staff_id))
            return outcome

        return await self._together.attempt(work)

    async def password_link(self, staff_id: str) -> tuple[str, datetime]:
        """A token with which he sets his password, and when it ends. Raises NotFound."""
        await self.load(staff_id)
        return await self._links.make("staff_password", staff_subject(staff_id), None, self.clock())

    async def set_password(self, token: str, password: str, metadata: Metadata) -> None:
        """Uses such a token up. Raises Rejected."""
        link = await self._links.find(token)
        state = link.state(self.clock())
        if link.kind != "staff_password":
            raise NotFound("link_not_found")
        if state != "open":
            raise Rejected(f"link_{state}")
        staff_id = id_of(link.subject)
        member = await self.load(staff_id)
        phc = await self._passwords.hash(password, member.email or "", member.name or "")

        async def work(connection: Connection) -> None:
            await one_time.use(connection, token, self.clock())
            await self._together.execute(connection, Do(STAFF, staff_id, ChangeStaffPassword(staff_id), metadata))
            await registry.set_password(connection, link.subject, phc)
            await one_time.revoke(connection, link.subject, self.clock())
            await session_table.end_all(connection, link.subject)

        await self._together.attempt(work)
        await self._credentials.unlock(STAFF_REALM, member.email or "")

    async def sign_in(self, email: str, password: str) -> tuple[str, str, Session, Member]:
        """Who it is, a secret and its session. Raises Unauthenticated (`sign_in_refused`), also for who is blocked."""
        proven = await self._credentials.check(STAFF_REALM, email, password, self.clock())
        staff_id = id_of(proven.subject)
        member = await self.load(staff_id)
        await self._credentials.check_still(proven)
        if member.blocked:
            raise Unauthenticated("sign_in_refused")
        secret, session = await self._sessions.begin(proven.subject, None, member.epoch, self.clock())
        return staff_id, secret, session, member

    async def member_of(self, session: Session) -> Member:
        """Whose session it is. Raises Unauthenticated (`session_ended`)."""
        member = await self.load(id_of(session.subject))
        if member.blocked or member.epoch != session.epoch:
            raise Unauthenticated("session_ended")
        return member

    def principal(self, session: Session, member: Member) -> Principal:
        """Who an access token of a member of staff speaks for."""
        return Principal("operator" if "operator" in member.roles else "staff", session.subject)

    async def load(self, staff_id: str) -> Member:
        """The member of staff now. Raises NotFound."""
        state = (await self._together.streams.load(STAFF, staff_id)).state
        if not isinstance(state, Member):
            raise NotFound("staff_not_found")
        return state
