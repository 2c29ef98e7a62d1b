"""The table of portal users: what became of each, and plain values of living persons only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chassis.views import View, ViewReader
from contracts.base import Event, known
from contracts.common import Language
from contracts.envelope import Envelope
from contracts.identity import (
    AccessExpirySet,
    ActivationRequested,
    AssignedBy,
    ContactNotMade,
    ContactWanted,
    InvitationRequested,
    PersonErased,
    UserActivated,
    UserAssigned,
    UserBlocked,
    UserDeleted,
    UserRegistered,
    UserSignedIn,
    UserUnassigned,
    UserUnblocked,
)
from services.identity.subjects import USER, id_of

RegistrationStatus = Literal["activation_sent", "invited", "registered"]
AssignmentStatus = Literal["pending", "assigned"]


class UserRow(BaseModel):
    """A portal user. Both statuses are independent: he may be assigned before he has confirmed his address."""

    model_config = ConfigDict(frozen=True)

    user_id: str
    portal_id: str
    email: str | None
    name: str | None
    language: Language
    already_customer: bool
    registration: RegistrationStatus
    assignment: AssignmentStatus = "pending"
    contact_id: str | None = None
    assigned_by: AssignedBy | None = None
    contact_refusal: str | None = Field(
        default=None, description="Why the contact that staff wanted could not be made: a code, and the attribute"
    )
    blocked: bool = False
    expires_at: datetime | None = None
    registered_at: datetime
    mailed_at: datetime | None = Field(default=None, description="When the last activation or invitation was asked for")
    activated_at: datetime | None = None
    signed_in_at: datetime | None = None
    erased: bool = False


class UserDoc(BaseModel):
    """`row` is None when only the erasure of somebody is known, or when he is gone; it never comes back."""

    model_config = ConfigDict(frozen=True)

    row: UserRow | None
    erased: bool = False
    text: str = Field(default="", description="What is searched")


_EVENTS: tuple[type[Event], ...] = (
    UserRegistered,
    UserAssigned,
    UserUnassigned,
    ContactWanted,
    ContactNotMade,
    ActivationRequested,
    InvitationRequested,
    UserActivated,
    UserSignedIn,
    UserBlocked,
    UserUnblocked,
    AccessExpirySet,
    UserDeleted,
    PersonErased,
)


def key(envelope: Envelope) -> str | None:
    event = envelope.event
    if isinstance(event, PersonErased):
        return id_of(event.person) if event.person.startswith(USER) else None
    return getattr(event, "user_id", None)


def evolve(doc: UserDoc | None, envelope: Envelope) -> UserDoc | None:
    match envelope.event:
        case PersonErased():
            row = doc.row.model_copy(update={"email": None, "name": None, "erased": True}) if doc and doc.row else None
            return UserDoc(row=row, erased=True)
        case UserRegistered() as event:
            erased = doc is not None and doc.erased
            row = _registered(event, envelope.time, erased)
            return UserDoc(row=row, erased=erased, text=" ".join(filter(None, (row.email, row.name))).lower())
        case UserDeleted():
            return UserDoc(row=None, erased=True)
        case event if doc is not None and doc.row is not None:
            return doc.model_copy(update={"row": doc.row.model_copy(update=_changes(event, envelope.time))})
        case _:
            return doc


def _registered(event: UserRegistered, at: datetime, erased: bool) -> UserRow:
    return UserRow(
        user_id=event.user_id,
        portal_id=event.portal_id,
        email=None if erased else known(event.email),
        name=None if erased else known(event.name),
        language=event.language,
        already_customer=event.already_customer,
        registration="invited" if event.invited else "activation_sent",
        registered_at=at,
        erased=erased,
    )


def _changes(event: Event, at: datetime) -> Mapping[str, Any]:
    match event:
        case UserAssigned(contact_id=contact_id, by=by):
            return {"assignment": "assigned", "contact_id": contact_id, "assigned_by": by, "contact_refusal": None}
        case ContactWanted():
            return {"contact_refusal": None}
        case ContactNotMade(code=code, attribute=attribute):
            return {"contact_refusal": f"{code}: {attribute}" if attribute else code}
        case UserUnassigned():
            return {"assignment": "pending", "contact_id": None, "assigned_by": None}
        case ActivationRequested() | InvitationRequested():
            return {"mailed_at": at}
        case UserActivated():
            return {"registration": "registered", "activated_at": at}
        case UserSignedIn():
            return {"signed_in_at": at}
        case UserBlocked() | UserUnblocked():
            return {"blocked": isinstance(event, UserBlocked)}
        case AccessExpirySet(expires_at=expires_at):
            return {"expires_at": expires_at}
        case _:
            return {}


USER_ROWS: View[UserDoc] = View(
    "user_rows",
    2,
    UserDoc,
    _EVENTS,
    key,
    evolve,
    indexes={
        "portal": "(doc->'row'->>'portal_id'), key",
        "contact": "(doc->'row'->>'contact_id')",
        "assignment": "(doc->'row'->>'assignment'), key",
    },
)
UserRows = ViewReader[UserDoc]


class Filters(BaseModel):
    """Which users; all that are given must fit."""

    portal_id: str | None = None
    registration: RegistrationStatus | None = None
    assignment: AssignmentStatus | None = None
    blocked: bool | None = None
    contact_id: str | None = None
    search: str | None = None


async def list_users(rows: UserRows, filters: Filters, after: str, limit: int) -> list[UserRow]:
    """Users in the order of their ids, those behind `after`."""
    where, parameters = ["doc->'row' <> 'null'", "key > %s"], [after]
    for name, value in filters.model_dump(exclude={"search"}, exclude_none=True).items():
        where.append(f"doc->'row'->>'{name}' = %s")
        parameters.append(str(value).lower() if isinstance(value, bool) else value)
    if filters.search:
        escaped = filters.search.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        where.append("doc->>'text' LIKE %s")
        parameters.append(f"%{escaped}%")
    found = await rows.find(" AND ".join(where), parameters, limit=limit)
    return [doc.row for doc in found if doc.row is not None]
