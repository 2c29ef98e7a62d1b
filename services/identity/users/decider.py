"""The life of a portal user: registered, activated, assigned, blocked. Secrets are nowhere here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from chassis.decider import Decider
from chassis.errors import NotFound, Rejected
from contracts.base import Event
from contracts.common import Json, Language
from contracts.identity import (
    AccessExpirySet,
    ActivationRequested,
    AssignedBy,
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
    UserSignedIn,
    UserUnassigned,
    UserUnblocked,
)
from services.identity.users.standing import IDENTIFICATION_TRIES, has_expired
from services.identity.users.state import NoUser, User, UserState, evolve

MAILS_IN = timedelta(hours=1)
MAXIMUM_MAILS = 5


@dataclass(frozen=True, slots=True)
class Register:
    """Somebody registers with an address. Who has it already is reminded of what he has."""

    user_id: str
    portal_id: str
    email: str
    name: str | None
    language: Language
    already_customer: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Invite:
    """Staff invite a contact: the user is assigned from the beginning."""

    user_id: str
    portal_id: str
    email: str
    name: str | None
    language: Language
    contact_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RequestActivation:
    user_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RequestReset:
    """A new password is wanted; who has not confirmed his address yet gets that mail instead."""

    user_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Activate:
    user_id: str


@dataclass(frozen=True, slots=True)
class ChangePassword:
    user_id: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """The password was right."""

    user_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Match:
    """These contacts have the user's address as their primary one."""

    user_id: str
    contact_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Identify:
    """These contacts fit the answers to the second identification."""

    user_id: str
    contact_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assign:
    user_id: str
    contact_id: str


@dataclass(frozen=True, slots=True)
class CreateContact:
    """A contact is to be made of the user; when entities has it, he is assigned to it."""

    user_id: str
    contact_id: str
    customer_number: str
    values: dict[str, Json]


@dataclass(frozen=True, slots=True)
class TakeContact:
    """The contact that was to be made of the user is there."""

    user_id: str
    contact_id: str


@dataclass(frozen=True, slots=True)
class GiveUpContact:
    """The contact that was to be made of the user cannot be made."""

    user_id: str
    contact_id: str
    code: str
    attribute: str | None


@dataclass(frozen=True, slots=True)
class Unassign:
    user_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Block:
    user_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unblock:
    user_id: str


@dataclass(frozen=True, slots=True)
class SetExpiry:
    user_id: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Impersonate:
    user_id: str
    impersonation_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class EndImpersonation:
    user_id: str
    impersonation_id: str


@dataclass(frozen=True, slots=True)
class Delete:
    user_id: str


OwnCommand = RequestActivation | RequestReset | Activate | ChangePassword | SignIn
AssignmentCommand = Match | Identify | Assign | CreateContact | TakeContact | GiveUpContact | Unassign
StaffCommand = Block | Unblock | SetExpiry | Impersonate | EndImpersonation | Delete
OfUser = OwnCommand | AssignmentCommand | StaffCommand
UserCommand = Register | Invite | OfUser


def decide(command: UserCommand, state: UserState) -> Sequence[Event]:
    if isinstance(command, Register | Invite):
        return _begun(command, state)
    if not isinstance(state, User):
        raise NotFound("user_not_found")
    return _of_user(command, state)


def _begun(command: Register | Invite, state: UserState) -> Sequence[Event]:
    if isinstance(state, User):
        return _reminded(command, state)
    if not isinstance(state, NoUser):
        raise NotFound("user_not_found")
    registered = UserRegistered(
        user_id=command.user_id,
        portal_id=command.portal_id,
        person=f"user/{command.user_id}",
        email=command.email,
        name=command.name,
        language=command.language,
        already_customer=command.already_customer if isinstance(command, Register) else True,
        invited=isinstance(command, Invite),
    )
    ids = {"user_id": command.user_id, "portal_id": command.portal_id}
    if isinstance(command, Register):
        return [registered, ActivationRequested(**ids, requested_at=command.at)]
    return [
        registered,
        UserAssigned(**ids, contact_id=command.contact_id, by="staff"),
        InvitationRequested(**ids, requested_at=command.at),
    ]


def _reminded(command: Register | Invite, user: User) -> Sequence[Event]:
    if isinstance(command, Register):
        return _of_user(RequestReset(command.user_id, command.at), user)
    if user.active:
        raise Rejected("user_exists")
    assigned = (
        [] if user.contact_id == command.contact_id else _of_user(Assign(command.user_id, command.contact_id), user)
    )
    return [*assigned, *_mail(InvitationRequested, command.user_id, command.at, user)]


def _of_user(command: OfUser, user: User) -> Sequence[Event]:
    match command:
        case RequestActivation() | RequestReset() | Activate() | ChangePassword() | SignIn():
            return _by_himself(command, user)
        case Match() | Identify() | Assign() | CreateContact() | TakeContact() | GiveUpContact() | Unassign():
            return _assignment(command, user)
        case _:
            return _by_staff(command, user)


def _by_himself(command: OwnCommand, user: User) -> Sequence[Event]:
    match command:
        case RequestActivation(at=at):
            if user.active:
                raise Rejected("user_active_already")
            return _mail(ActivationRequested, command.user_id, at, user)
        case RequestReset(at=at):
            return _mail(PasswordResetRequested if user.active else ActivationRequested, command.user_id, at, user)
        case Activate():
            if user.active:
                raise Rejected("user_active_already")
            return [UserActivated(user_id=command.user_id, portal_id=user.portal_id)]
        case ChangePassword():
            if not user.active:
                raise Rejected("user_not_active")
            return [PasswordChanged(user_id=command.user_id, portal_id=user.portal_id)]
        case SignIn():
            return _signed_in(command, user)
        case _:
            assert_never(command)


def _by_staff(command: StaffCommand, user: User) -> Sequence[Event]:
    ids = {"user_id": command.user_id, "portal_id": user.portal_id}
    match command:
        case Block(reason=reason):
            return [] if user.blocked else [UserBlocked(**ids, reason=reason)]
        case Unblock():
            return [UserUnblocked(**ids)] if user.blocked else []
        case SetExpiry(expires_at=expires_at):
            return [] if user.expires_at == expires_at else [AccessExpirySet(**ids, expires_at=expires_at)]
        case Impersonate() | EndImpersonation():
            return _impersonation(command, user)
        case Delete():
            return [UserDeleted(**ids)]
        case _:
            assert_never(command)


def _assignment(command: AssignmentCommand, user: User) -> Sequence[Event]:
    ids = {"user_id": command.user_id, "portal_id": user.portal_id}
    match command:
        case Match(contact_ids=contact_ids):
            usable = user.contact_id is None and len(contact_ids) == 1 and contact_ids[0] not in user.left
            return _assigned(command.user_id, user, contact_ids[0], "email") if usable else []
        case Identify(contact_ids=contact_ids):
            return _identified(command.user_id, user, contact_ids)
        case Assign(contact_id=contact_id):
            if user.contact_id == contact_id:
                return []
            return _assigned(command.user_id, user, contact_id, "staff")
        case CreateContact(contact_id=contact_id, customer_number=number, values=values):
            _refuse_assigned(user)
            person = f"contact/{contact_id}"
            return [ContactWanted(**ids, contact_id=contact_id, customer_number=number, person=person, values=values)]
        case TakeContact() | GiveUpContact():
            return _contact_answered(command, user)
        case Unassign(reason=reason):
            if user.contact_id is None:
                return []
            return [UserUnassigned(**ids, contact_id=user.contact_id, reason=reason)]
        case _:
            assert_never(command)


def _contact_answered(command: TakeContact | GiveUpContact, user: User) -> list[Event]:
    """Nothing when another contact is wanted by now, or he belongs to one already."""
    if user.wanted != command.contact_id or user.contact_id is not None:
        return []
    if isinstance(command, TakeContact):
        return _assigned(command.user_id, user, command.contact_id, "staff")
    return [
        ContactNotMade(
            user_id=command.user_id,
            portal_id=user.portal_id,
            contact_id=command.contact_id,
            code=command.code,
            attribute=command.attribute,
        )
    ]


def _refuse_assigned(user: User) -> None:
    if user.contact_id is not None:
        raise Rejected("user_assigned_already", contact_id=user.contact_id)


def _assigned(user_id: str, user: User, contact_id: str, by: AssignedBy) -> list[Event]:
    _refuse_assigned(user)
    return [UserAssigned(user_id=user_id, portal_id=user.portal_id, contact_id=contact_id, by=by)]


def _identified(user_id: str, user: User, contact_ids: tuple[str, ...]) -> list[Event]:
    if user.contact_id is not None:
        return []
    if user.failed_identifications >= IDENTIFICATION_TRIES:
        raise Rejected("no_tries_left")
    fitting = [contact_id for contact_id in contact_ids if contact_id not in user.left]
    if len(fitting) == 1:
        return _assigned(user_id, user, fitting[0], "identification")
    left = IDENTIFICATION_TRIES - user.failed_identifications - 1
    return [IdentificationFailed(user_id=user_id, portal_id=user.portal_id, tries_left=left)]


def _signed_in(command: SignIn, user: User) -> list[Event]:
    if not user.active:
        raise Rejected("user_not_active")
    if user.blocked:
        raise Rejected("user_blocked")
    if has_expired(user, command.at):
        raise Rejected("access_expired", expires_at=user.expires_at)
    return [UserSignedIn(user_id=command.user_id, portal_id=user.portal_id)]


def _impersonation(command: Impersonate | EndImpersonation, user: User) -> list[Event]:
    ids = {"user_id": command.user_id, "portal_id": user.portal_id, "impersonation_id": command.impersonation_id}
    if isinstance(command, EndImpersonation):
        return [ImpersonationEnded(**ids)] if command.impersonation_id in user.impersonations else []
    if user.contact_id is None:
        raise Rejected("user_not_assigned")
    return [ImpersonationStarted(**ids, contact_id=user.contact_id, reason=command.reason)]


Mail = type[ActivationRequested] | type[InvitationRequested] | type[PasswordResetRequested]


def _mail(mail: Mail, user_id: str, at: datetime, user: User) -> list[Event]:
    if user.blocked:
        raise Rejected("user_blocked")
    if sum(sent > at - MAILS_IN for sent in user.mails) >= MAXIMUM_MAILS:
        raise Rejected("too_many_mails", limit=MAXIMUM_MAILS)
    return [mail(user_id=user_id, portal_id=user.portal_id, requested_at=at)]


USERS: Decider[UserCommand, UserState] = Decider("users", NoUser(), decide, evolve)
