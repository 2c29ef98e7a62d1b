"""Who the users of portals are: name and address of living persons, and whether they still wait for a contact."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from chassis.database import Pool
from chassis.views import View
from contracts.base import known
from contracts.common import Language
from contracts.envelope import Envelope
from contracts.identity import (
    PersonErased,
    UserActivated,
    UserAssigned,
    UserDeleted,
    UserRegistered,
    UserUnassigned,
)
from services.portal.reading import fetch

USER = "user/"


class UserDoc(BaseModel):
    """A user; after an erasure nothing personal is left or let in. `waiting` is derived for queries."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    user_id: str
    portal_id: str | None = None
    email: str | None = None
    name: str | None = None
    language: Language | None = None
    contact_id: str | None = None
    activated: bool = False
    erased: bool = False
    waiting: bool = False


def key(envelope: Envelope) -> str | None:
    match envelope.event:
        case PersonErased(person=person):
            return person.removeprefix(USER) if person.startswith(USER) else None
        case (UserRegistered() | UserAssigned() | UserUnassigned() | UserActivated() | UserDeleted()) as event:
            return event.user_id
        case _:
            return None


def evolve(before: UserDoc | None, envelope: Envelope) -> UserDoc | None:
    """A person is erased in another stream than his registration: whatever their order, the same is left."""
    user = before or UserDoc(user_id=key(envelope) or "")
    changes: dict[str, object]
    match envelope.event:
        case UserRegistered() as event:
            personal = {} if user.erased else {"email": known(event.email), "name": known(event.name)}
            changes = {"portal_id": event.portal_id, "language": event.language, **personal}
        case PersonErased():
            changes = {"erased": True, "email": None, "name": None}
        case UserAssigned() as event:
            changes = {"contact_id": event.contact_id}
        case UserUnassigned():
            changes = {"contact_id": None}
        case UserActivated():
            changes = {"activated": True}
        case UserDeleted():
            return UserDoc(user_id=user.user_id, erased=True) if user.erased else None
        case _:
            return before
    user = user.model_copy(update=changes)
    waiting = user.activated and user.contact_id is None and user.portal_id is not None
    return user.model_copy(update={"waiting": waiting and not user.erased})


USERS = View(
    name="users",
    version=1,
    document=UserDoc,
    events=(UserRegistered, UserAssigned, UserUnassigned, UserActivated, UserDeleted, PersonErased),
    key=key,
    evolve=evolve,
    indexes={"waiting": "(doc->>'waiting')"},
)


def user_id_of(subject: str) -> str | None:
    """The user behind the subject of a token; null for others."""
    return subject.removeprefix(USER) if subject.startswith(USER) else None


async def count_waiting(pool: Pool, most: int) -> int:
    """Users who have confirmed their address and belong to no contact, counted up to `most`."""
    statement = f"SELECT count(*) FROM (SELECT FROM {USERS.table} WHERE doc->>'waiting' = 'true' LIMIT %(most)s) t"  # noqa: S608 our own names
    return int((await fetch(pool, statement, {"most": most}))[0][0])
