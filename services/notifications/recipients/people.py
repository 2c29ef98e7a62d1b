"""Read models of those who get mail and are no contacts: portal users, staff, and unknown people who sent a journey."""

from __future__ import annotations

from pydantic import Field

from chassis.views import View, ViewReader
from contracts.base import known
from contracts.common import Language, Text
from contracts.envelope import Envelope
from contracts.identity import (
    PersonErased,
    StaffBlocked,
    StaffChanged,
    StaffRegistered,
    StaffUnblocked,
    UserAssigned,
    UserDeleted,
    UserRegistered,
    UserUnassigned,
)
from contracts.ids import stream_id, stream_kind
from contracts.journeys import JourneyPublished, JourneySubmitted
from services.notifications.recipients.views import Document

USER, STAFF, SUBMISSION = "user", "staff", "submission"
MAXIMUM_OF_GROUP = 100


class PersonDoc(Document):
    """Somebody with an address. After an erasure only the fact of it is left."""

    id: str
    person: str
    email: str | None = None
    language: Language = "de"
    erased: bool = False


class UserDoc(PersonDoc):
    """A portal user, and the contact that he is. His name is what anybody may have typed, so no mail shows it."""

    portal_id: str = ""
    contact_id: str | None = None


class StaffDoc(PersonDoc):
    """A member of staff, and for which groups he works."""

    name: str | None = None
    groups: tuple[str, ...] = ()
    blocked: bool = False


class SubmitterDoc(PersonDoc):
    """Somebody who sent a journey and is no contact."""


class JourneyDoc(Document):
    """How a journey is called."""

    title: Text = Field(description="Of its newest version")


def user_key(envelope: Envelope) -> str | None:
    match envelope.event:
        case PersonErased(person=person):
            return stream_id(person) if stream_kind(person) == USER else None
        case event:
            return getattr(event, "user_id", None)


def evolve_user(doc: UserDoc | None, envelope: Envelope) -> UserDoc | None:
    match envelope.event:
        case PersonErased(person=person):
            return UserDoc(id=stream_id(person), person=person, erased=True)
        case _ if doc is not None and doc.erased:
            return doc
        case UserRegistered() as event:
            return UserDoc(
                id=event.user_id,
                person=event.person,
                email=known(event.email),
                language=event.language,
                portal_id=event.portal_id,
                contact_id=doc.contact_id if doc else None,
            )
        case UserAssigned(contact_id=contact_id) if doc is not None:
            return doc.model_copy(update={"contact_id": contact_id})
        case UserUnassigned() if doc is not None:
            return doc.model_copy(update={"contact_id": None})
        case UserDeleted():
            return None
        case _:
            return doc


def staff_key(envelope: Envelope) -> str | None:
    match envelope.event:
        case PersonErased(person=person):
            return stream_id(person) if stream_kind(person) == STAFF else None
        case event:
            return getattr(event, "staff_id", None)


def evolve_staff(doc: StaffDoc | None, envelope: Envelope) -> StaffDoc | None:
    match envelope.event:
        case PersonErased(person=person):
            return StaffDoc(id=stream_id(person), person=person, erased=True)
        case _ if doc is not None and doc.erased:
            return doc
        case StaffRegistered() as event:
            return StaffDoc(
                id=event.staff_id,
                person=event.person,
                email=known(event.email),
                name=known(event.name),
                language=event.language,
                groups=event.groups,
            )
        case StaffChanged(groups=groups) if doc is not None:
            return doc.model_copy(update={"groups": groups})
        case StaffBlocked() if doc is not None:
            return doc.model_copy(update={"blocked": True})
        case StaffUnblocked() if doc is not None:
            return doc.model_copy(update={"blocked": False})
        case _:
            return doc


def submitter_key(envelope: Envelope) -> str | None:
    match envelope.event:
        case PersonErased(person=person):
            return stream_id(person) if stream_kind(person) == SUBMISSION else None
        case JourneySubmitted(contact_id=None, submission_id=submission_id, person=person):
            return submission_id if stream_kind(person) == SUBMISSION else None
        case _:
            return None


def evolve_submitter(doc: SubmitterDoc | None, envelope: Envelope) -> SubmitterDoc | None:
    match envelope.event:
        case PersonErased(person=person):
            return SubmitterDoc(id=stream_id(person), person=person, erased=True)
        case _ if doc is not None and doc.erased:
            return doc
        case JourneySubmitted() as event:
            return SubmitterDoc(
                id=event.submission_id, person=event.person, email=known(event.email), language=event.language
            )
        case _:
            return doc


def journey_key(envelope: Envelope) -> str | None:
    return envelope.event.journey_id if isinstance(envelope.event, JourneyPublished) else None


def evolve_journey(doc: JourneyDoc | None, envelope: Envelope) -> JourneyDoc | None:
    return JourneyDoc(title=envelope.event.title) if isinstance(envelope.event, JourneyPublished) else doc


USERS = View(
    "users",
    1,
    UserDoc,
    (UserRegistered, UserAssigned, UserUnassigned, UserDeleted, PersonErased),
    user_key,
    evolve_user,
)
COLLEAGUES = View(
    "colleagues",
    1,
    StaffDoc,
    (StaffRegistered, StaffChanged, StaffBlocked, StaffUnblocked, PersonErased),
    staff_key,
    evolve_staff,
)
SUBMITTERS = View("submitters", 1, SubmitterDoc, (JourneySubmitted, PersonErased), submitter_key, evolve_submitter)
JOURNEYS = View("journeys", 1, JourneyDoc, (JourneyPublished,), journey_key, evolve_journey)


async def of_group(staff: ViewReader[StaffDoc], group: str) -> list[StaffDoc]:
    """Members of a group who can be written to."""
    where = "doc->'groups' ? %s AND doc->>'blocked' = 'false' AND doc->>'email' IS NOT NULL"
    return await staff.find(where, [group], limit=MAXIMUM_OF_GROUP)
