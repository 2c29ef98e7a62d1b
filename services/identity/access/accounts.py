"""What a portal user does to get in: confirm his address, sign in, say who he is, choose another password."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from chassis.auth import Principal, Unauthenticated
from chassis.errors import NotFound, Rejected
from chassis.log import Connection
from chassis.streams import Outcome, Request
from contracts.envelope import Metadata
from services.identity.access import links as one_time
from services.identity.access import registry
from services.identity.access.credentials import Credentials, portal_realm
from services.identity.access.desk import Place, UserDesk
from services.identity.access.links import Link, Links
from services.identity.access.passwords import Passwords
from services.identity.access.sessions import Session, Sessions
from services.identity.contacts.matching import fitting
from services.identity.contacts.views import contracts_of
from services.identity.portals.views import PortalDoc, find_portal
from services.identity.subjects import USER, id_of, user_subject
from services.identity.users.decider import USERS, Activate, ChangePassword, Identify, SignIn
from services.identity.users.state import User

ANSWERED_AFTER_SIGN_IN = ("ready", "identify", "waiting", "unknown")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Where the user stands, and his session unless he may not come in."""

    user_id: str
    place: Place
    secret: str | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Done:
    """Where the user stands after what he did; `outcome` is None when nothing was left to do."""

    user_id: str
    place: Place
    outcome: Outcome | None


class Accounts:
    """Portal users as far as they act for themselves."""

    def __init__(
        self, desk: UserDesk, credentials: Credentials, passwords: Passwords, sessions: Sessions, links: Links
    ) -> None:
        self._desk = desk
        self._credentials = credentials
        self._passwords = passwords
        self._sessions = sessions
        self._links = links
        self._clock = desk.streams.clock

    async def sign_in(self, portal_id: str, email: str, password: str, metadata: Metadata) -> SignedIn:
        """Raises Unauthenticated (`sign_in_refused`), and NotFound for an unknown portal."""
        await find_portal(self._desk.portals, portal_id)
        proven = await self._credentials.check(portal_realm(portal_id), email, password, self._clock())
        user_id = id_of(proven.subject)
        place = await self._desk.place(user_id)
        await self._credentials.check_still(proven)
        if place.standing not in ANSWERED_AFTER_SIGN_IN:
            return SignedIn(user_id, place, None, None)
        secret, session = await self._sessions.begin(proven.subject, portal_id, place.user.epoch, self._clock())
        command = SignIn(user_id, self._clock())
        await self._desk.streams.execute(USERS, user_id, command, Request(metadata))
        return SignedIn(user_id, place, secret, session.expires_at)

    async def place_in(self, session: Session) -> Place:
        """Where the user of a session stands now. Raises Unauthenticated (`session_ended`)."""
        try:
            place = await self._desk.place(id_of(session.subject))
        except NotFound:
            raise Unauthenticated("session_ended") from None
        if place.user.epoch != session.epoch or place.standing not in ANSWERED_AFTER_SIGN_IN:
            raise Unauthenticated("session_ended")
        return place

    async def identify(self, secret: str, answers: Mapping[str, str], metadata: Metadata) -> Done:
        """Tries the answers to the second identification; each try counts. Raises Rejected."""
        user_id, place = await self._signed_in(secret)
        if place.standing == "ready":
            return Done(user_id, place, None)
        if place.standing != "identify":
            raise Rejected("identification_not_asked")
        missing = [path for path in place.ask if not answers.get(path, "").strip()]
        if missing or set(answers) - set(place.ask):
            raise Rejected("invalid_identification", attributes=list(place.ask))
        contracts = await contracts_of(self._desk.records, [contact.id for contact in place.contacts])
        found = fitting(answers, place.contacts, contracts)
        outcome = await self._desk.carry_out(Identify(user_id, found), metadata)
        return Done(user_id, await self._desk.place(user_id), outcome)

    async def activate(self, token: str, password: str | None, metadata: Metadata) -> Done:
        """Uses an activation or an invitation up; a link without a password takes the one that comes with it."""
        link = await self._link(token, "activation", "invitation")
        user_id = id_of(link.subject)
        chosen = await self._chosen(link, password)

        async def work(connection: Connection) -> Outcome:
            used = await one_time.use(connection, token, self._clock())
            outcome = await self._desk.within(connection, Activate(user_id), metadata)
            await registry.set_password(connection, used.subject, chosen)
            await one_time.revoke(connection, used.subject, self._clock())
            return outcome

        outcome = await self._desk.together.attempt(work)
        return Done(user_id, await self._desk.place(user_id), outcome)

    async def reset_password(self, token: str, password: str, metadata: Metadata) -> None:
        """Uses a reset up. Raises Rejected."""
        link = await self._link(token, "reset")
        user_id = id_of(link.subject)
        user, phc = await self._hashed(user_id, password)

        async def work(connection: Connection) -> None:
            await one_time.use(connection, token, self._clock())
            await self._change(connection, user_id, phc, metadata)

        await self._desk.together.attempt(work)
        await self._credentials.unlock(portal_realm(user.portal_id), user.email or "")

    async def change_password(self, secret: str, current: str, password: str, metadata: Metadata) -> None:
        """Another password for whoever is signed in and knows the old one; he signs in anew. Raises Rejected."""
        user_id, place = await self._signed_in(secret)
        realm = portal_realm(place.user.portal_id)
        await self._credentials.check(realm, place.user.email or "", current, self._clock())
        _, phc = await self._hashed(user_id, password)
        await self._desk.together.attempt(lambda connection: self._change(connection, user_id, phc, metadata))

    async def _signed_in(self, secret: str) -> tuple[str, Place]:
        session = await self._sessions.use(secret, self._clock())
        if not session.subject.startswith(USER):
            raise Unauthenticated("session_ended")
        return id_of(session.subject), await self.place_in(session)

    async def _link(self, token: str, *kinds: str) -> Link:
        """Tells what is wrong with a link before a password is hashed; using it up decides. Raises Rejected."""
        link = await self._links.find(token)
        if link.kind not in kinds:
            raise NotFound("link_not_found")
        state = link.state(self._clock())
        if state != "open":
            raise Rejected(f"link_{state}")
        return link

    async def _chosen(self, link: Link, password: str | None) -> str:
        if password is not None:
            return (await self._hashed(id_of(link.subject), password))[1]
        if link.phc is None:
            raise Rejected("invalid_password_missing")
        return link.phc

    async def _hashed(self, user_id: str, password: str) -> tuple[User, str]:
        user = await self._desk.load(user_id)
        portal = await find_portal(self._desk.portals, user.portal_id)
        return user, await self._passwords.hash(password, user.email or "", portal.name.de, portal.name.en)

    async def _change(self, connection: Connection, user_id: str, phc: str, metadata: Metadata) -> None:
        await self._desk.within(connection, ChangePassword(user_id), metadata)
        await registry.set_password(connection, user_subject(user_id), phc)


def user_principal(user_id: str, user: User, portal: PortalDoc, actor: str | None = None) -> Principal:
    """A portal user by the audience of his portal."""
    return Principal(portal.audience, user_subject(user_id), user.contact_id, user.portal_id, actor)
