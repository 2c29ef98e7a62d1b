"""What the rules know of a portal user. Whether he is registered and whether he is assigned are told apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from contracts.base import Event, known
from contracts.common import Language
from contracts.identity import (
    AccessExpirySet,
    ActivationRequested,
    ContactNotMade,
    ContactWanted,
    IdentificationFailed,
    ImpersonationEnded,
    ImpersonationStarted,
    InvitationRequested,
    PasswordChanged,
    PasswordResetRequested,
    UserActivated,
    UserAssigned,
    UserBlocked,
    UserDeleted,
    UserRegistered,
    UserUnassigned,
    UserUnblocked,
)

REMEMBERED_MAILS = 10
REMEMBERED_IMPERSONATIONS = 20


@dataclass(frozen=True, slots=True)
class NoUser:
    """Nobody registered here yet."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The user was deleted or erased."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a contact could not be made of a user."""

    contact_id: str
    code: str
    attribute: str | None


@dataclass(frozen=True, slots=True)
class User:
    """`email` and `name` are None once he is erased. A session is good only in the `epoch` in which it began.

    `left` are contacts from which staff took him away: his e-mail alone does not bring him back there. `wanted` is
    the contact that is being made of him, `refusal` why the last one could not be made.
    """

    portal_id: str
    email: str | None
    name: str | None
    language: Language
    already_customer: bool
    active: bool = False
    contact_id: str | None = None
    wanted: str | None = None
    refusal: Refusal | None = None
    left: frozenset[str] = frozenset()
    blocked: bool = False
    expires_at: datetime | None = None
    failed_identifications: int = 0
    mails: tuple[datetime, ...] = ()
    impersonations: tuple[str, ...] = ()
    epoch: int = 0


UserState = NoUser | User | Gone


def evolve(state: UserState, event: Event) -> UserState:
    if isinstance(event, UserRegistered):
        return User(event.portal_id, known(event.email), known(event.name), event.language, event.already_customer)
    if isinstance(event, UserDeleted):
        return Gone()
    return _changed(state, event) if isinstance(state, User) else state


def _changed(user: User, event: Event) -> User:
    match event:
        case UserActivated():
            return replace(user, active=True)
        case PasswordChanged():
            return replace(user, epoch=user.epoch + 1)
        case UserBlocked():
            return replace(user, blocked=True, epoch=user.epoch + 1)
        case UserUnblocked():
            return replace(user, blocked=False)
        case AccessExpirySet(expires_at=expires_at):
            return replace(user, expires_at=expires_at)
        case ActivationRequested() | InvitationRequested() | PasswordResetRequested():
            mails = (*user.mails, event.requested_at) if event.requested_at else user.mails
            return replace(user, mails=mails[-REMEMBERED_MAILS:])
        case _:
            return _belonging(user, event)


def _belonging(user: User, event: Event) -> User:
    match event:
        case UserAssigned(contact_id=contact_id):
            return replace(user, contact_id=contact_id, wanted=None, refusal=None, failed_identifications=0)
        case ContactWanted(contact_id=contact_id):
            return replace(user, wanted=contact_id, refusal=None)
        case ContactNotMade(contact_id=contact_id, code=code, attribute=attribute):
            return replace(user, wanted=None, refusal=Refusal(contact_id, code, attribute))
        case UserUnassigned(contact_id=contact_id):
            return replace(user, contact_id=None, left=user.left | {contact_id}, epoch=user.epoch + 1)
        case IdentificationFailed():
            return replace(user, failed_identifications=user.failed_identifications + 1)
        case ImpersonationStarted(impersonation_id=id_):
            return replace(user, impersonations=(*user.impersonations, id_)[-REMEMBERED_IMPERSONATIONS:])
        case ImpersonationEnded(impersonation_id=id_):
            return replace(user, impersonations=tuple(one for one in user.impersonations if one != id_))
        case _:
            return user
