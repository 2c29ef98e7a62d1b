"""Events of identity: portal users, staff, signing keys, machines, and who looked at or erased personal data."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from contracts.base import Event, Personal
from contracts.common import Json, Language

MachineRole = Literal["erp", "operator", "gateway", "service"]
AssignedBy = Literal["email", "identification", "staff"]
StaffRole = Literal["staff", "operator"]


class SigningKeyAdded(Event, service="identity"):
    """A key joined the JWKS; it signs from `signs_from` on."""

    key_id: str
    signs_from: datetime


class SigningKeyRetired(Event, service="identity"):
    """A key left the JWKS; tokens it signed are no longer accepted."""

    key_id: str


class MachineRegistered(Event, service="identity"):
    """A machine (an ERP, an operator's script, a gateway) may get tokens of a role."""

    machine_id: str
    name: str
    role: MachineRole


class MachineSecretChanged(Event, service="identity"):
    """A machine has a new secret; the old one no longer works."""

    machine_id: str


class MachineRevoked(Event, service="identity"):
    """A machine gets no more tokens."""

    machine_id: str


class PersonalDataRevealed(Event, service="identity"):
    """Somebody was shown sealed values, for this reason."""

    reveal_id: str
    revealed_to: str
    reason: str
    persons: tuple[str, ...]
    values: int


class PersonErased(Event, service="identity"):
    """The key of a person is destroyed: what was sealed with it cannot be read again by anybody."""

    person: str
    reason: str


class _OfUser(Event, abstract=True):
    user_id: str
    portal_id: str


class UserRegistered(_OfUser, service="identity"):
    """Somebody wants to use a portal. `person` is `user/<user_id>` until he is known to be a contact."""

    person: str
    email: Personal[str]
    name: Personal[str | None] = Field(description="As he wrote it; null where he was not asked")
    language: Language
    already_customer: bool
    invited: bool = False


class UserAssigned(_OfUser, service="identity"):
    """A portal user belongs to a contact: he sees what is the contact's."""

    contact_id: str
    by: AssignedBy


class UserUnassigned(_OfUser, service="identity"):
    """A portal user belongs to no contact any more."""

    contact_id: str
    reason: str


class ContactWanted(_OfUser, service="identity"):
    """Staff want a contact made of a portal user: entities creates the record with these values, or refuses.

    The user is assigned when it is there.
    """

    contact_id: str
    customer_number: str
    person: str = Field(description="contact/<contact_id>")
    values: Personal[dict[str, Json]] = Field(description="Attributes of the contact, e.g. last_name and email")


class IdentificationFailed(_OfUser, service="identity"):
    """The answers to the second identification named no contact, or more than one."""

    tries_left: int


class _MailRequested(_OfUser, abstract=True):
    requested_at: datetime | None = Field(default=None, description="Counted, so that nobody's mailbox is flooded")


class ContactNotMade(_OfUser, service="identity"):
    """No contact could be made of a portal user; he waits as before."""

    contact_id: str
    code: str
    attribute: str | None = Field(description="The attribute that was wrong, where it was one")


class ActivationRequested(_MailRequested, service="identity"):
    """The mail with the activation link is to be sent, for the first time or once more."""


class InvitationRequested(_MailRequested, service="identity"):
    """The mail with the invitation link is to be sent."""


class UserActivated(_OfUser, service="identity"):
    """The link was confirmed: the address is the user's."""


class PasswordResetRequested(_MailRequested, service="identity"):
    """The mail with the link to a new password is to be sent."""


class PasswordChanged(_OfUser, service="identity"):
    """The user has a new password; all his sessions ended."""


class UserSignedIn(_OfUser, service="identity"):
    """A session of the user began."""


class UserBlocked(_OfUser, service="identity"):
    """The user may not sign in, and his sessions ended."""

    reason: str


class UserUnblocked(_OfUser, service="identity"):
    """The user may sign in again."""


class AccessExpirySet(_OfUser, service="identity"):
    """From `expires_at` on the user may not sign in; null: he may for ever."""

    expires_at: datetime | None


class UserDeleted(_OfUser, service="identity"):
    """The user is gone."""


class ImpersonationStarted(_OfUser, service="identity"):
    """A member of staff acts as the user; the event's actor says who."""

    impersonation_id: str
    contact_id: str | None
    reason: str


class ImpersonationEnded(_OfUser, service="identity"):
    """The member of staff acts as himself again."""

    impersonation_id: str


class StaffRegistered(Event, service="identity"):
    """A member of staff may sign in. `person` is `staff/<staff_id>`."""

    staff_id: str
    person: str
    email: Personal[str]
    name: Personal[str]
    groups: tuple[str, ...] = Field(description="Groups to which tasks are assigned, e.g. customer_service")
    roles: tuple[str, ...] = Field(description="staff, operator")
    language: Language


class StaffChanged(Event, service="identity"):
    """Groups or roles of a member of staff are others now."""

    staff_id: str
    groups: tuple[str, ...]
    roles: tuple[str, ...]


class StaffPasswordChanged(Event, service="identity"):
    """A member of staff has a new password; all his sessions ended."""

    staff_id: str


class StaffBlocked(Event, service="identity"):
    """A member of staff may not sign in any more."""

    staff_id: str


class StaffUnblocked(Event, service="identity"):
    """A member of staff may sign in again."""

    staff_id: str
