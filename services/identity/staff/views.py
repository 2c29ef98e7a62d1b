"""Members of staff as a list: plain values of living persons only."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from chassis.views import View, ViewReader
from contracts.base import Event, known
from contracts.common import Language
from contracts.envelope import Envelope
from contracts.identity import PersonErased, StaffBlocked, StaffChanged, StaffRegistered, StaffUnblocked
from services.identity.subjects import STAFF as SUBJECTS
from services.identity.subjects import id_of


class StaffDoc(BaseModel):
    """A member of staff. `registered` is false while only his erasure is known."""

    model_config = ConfigDict(frozen=True)

    staff_id: str
    email: str | None = None
    name: str | None = None
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    language: Language = "de"
    blocked: bool = False
    erased: bool = False
    registered: bool = True


def key(envelope: Envelope) -> str | None:
    match envelope.event:
        case StaffRegistered() | StaffChanged() | StaffBlocked() | StaffUnblocked() as event:
            return event.staff_id
        case PersonErased(person=person) if person.startswith(SUBJECTS):
            return id_of(person)
        case _:
            return None


def evolve(doc: StaffDoc | None, envelope: Envelope) -> StaffDoc | None:
    match envelope.event:
        case PersonErased(person=person):
            doc = doc or StaffDoc(staff_id=id_of(person), registered=False)
            return doc.model_copy(update={"email": None, "name": None, "erased": True})
        case StaffRegistered() as event:
            erased = doc is not None and doc.erased
            return StaffDoc(
                staff_id=event.staff_id,
                email=None if erased else known(event.email),
                name=None if erased else known(event.name),
                groups=event.groups,
                roles=event.roles,
                language=event.language,
                erased=erased,
            )
        case StaffChanged(groups=groups, roles=roles) if doc:
            return doc.model_copy(update={"groups": groups, "roles": roles})
        case StaffBlocked() if doc:
            return doc.model_copy(update={"blocked": True})
        case StaffUnblocked() if doc:
            return doc.model_copy(update={"blocked": False})
        case _:
            return doc


_EVENTS: tuple[type[Event], ...] = (StaffRegistered, StaffChanged, StaffBlocked, StaffUnblocked, PersonErased)
STAFF: View[StaffDoc] = View("staff", 1, StaffDoc, _EVENTS, key, evolve)
StaffList = ViewReader[StaffDoc]
