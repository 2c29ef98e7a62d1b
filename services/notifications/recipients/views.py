"""Read models of those who get mail: contacts with address and language, contracts, and portals.

They are joined when a mail is sent, so the order in which their topics are read does not matter.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict

from chassis.texts import LANGUAGES
from chassis.views import View
from contracts.base import Event, known
from contracts.common import Json, Language, Text
from contracts.entities import EntityChanged, EntityCreated, EntityDeleted, EntityRelated
from contracts.envelope import Envelope
from contracts.identity import PersonErased
from contracts.ids import stream_id, stream_kind
from contracts.portal import PortalConfigured

CONTACT, CONTRACT = "contact", "contract"
HOLDER = "holder"
_NAMES = ("salutation", "first_name", "last_name", "email")
Attributes = dict[str, Json]


class Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class RecipientDoc(Document):
    """A contact that can be written to. After an erasure only the fact of it is left, whatever arrives later."""

    id: str
    person: str | None = None
    language: Language | None = None
    salutation: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    erased: bool = False


class ContractDoc(Document):
    """What a mail says about a contract."""

    id: str
    number: str | None = None
    division: str | None = None
    product: str | None = None
    ends_on: date | None = None
    holder_id: str | None = None


class PortalDoc(Document):
    """Where a link in a mail leads."""

    id: str
    audience: str
    name: Text
    url: str
    brand: str


def recipient_key(envelope: Envelope) -> str | None:
    match envelope.event:
        case PersonErased(person=person):
            return stream_id(person) if stream_kind(person) == CONTACT else None
        case event:
            return _id_of(event, CONTACT)


def evolve_recipient(doc: RecipientDoc | None, envelope: Envelope) -> RecipientDoc | None:
    match envelope.event:
        case PersonErased(person=person):
            return RecipientDoc(id=stream_id(person), erased=True)
        case _ if doc is not None and doc.erased:
            return doc
        case EntityCreated() as event:
            return _written(RecipientDoc(id=event.id), event)
        case EntityChanged() as event:
            return _written(doc or RecipientDoc(id=event.id), event)
        case EntityDeleted():
            return None
        case _:
            return doc


def contract_key(envelope: Envelope) -> str | None:
    return _id_of(envelope.event, CONTRACT)


def evolve_contract(doc: ContractDoc | None, envelope: Envelope) -> ContractDoc | None:
    match envelope.event:
        case EntityCreated() as event:
            described = _described(ContractDoc(id=event.id), event)
            return described.model_copy(update={"holder_id": _first(event.relations.get(HOLDER, ()))})
        case EntityChanged() as event:
            return _described(doc or ContractDoc(id=event.id), event)
        case EntityRelated() as event if event.relation == HOLDER:
            return (doc or ContractDoc(id=event.id)).model_copy(update={"holder_id": _first(event.to)})
        case EntityDeleted():
            return None
        case _:
            return doc


def portal_key(envelope: Envelope) -> str | None:
    return envelope.event.portal_id if isinstance(envelope.event, PortalConfigured) else None


def evolve_portal(doc: PortalDoc | None, envelope: Envelope) -> PortalDoc | None:
    event = envelope.event
    if not isinstance(event, PortalConfigured):
        return doc
    return PortalDoc(
        id=event.portal_id, audience=event.audience, name=event.name, url=event.url, brand=event.design.brand
    )


def _id_of(event: Event, entity: str) -> str | None:
    match event:
        case EntityCreated() | EntityChanged() | EntityRelated() | EntityDeleted() if event.entity == entity:
            return event.id
        case _:
            return None


def _written(doc: RecipientDoc, event: EntityCreated | EntityChanged) -> RecipientDoc:
    values = event.attributes | (known(event.personal) or {})
    update: dict[str, Any] = {name: _text(values[name]) for name in _NAMES if name in values}
    if "language" in values:
        update["language"] = values["language"] if values["language"] in LANGUAGES else None
    return doc.model_copy(update={**update, "person": event.person or doc.person})


def _described(doc: ContractDoc, event: EntityCreated | EntityChanged) -> ContractDoc:
    values = event.attributes
    update: dict[str, Any] = {name: _text(values[name]) for name in ("number", "division", "product") if name in values}
    if "ends_on" in values:
        update["ends_on"] = _date(values["ends_on"])
    described = doc.model_copy(update=update)
    return described if described.number else described.model_copy(update={"number": event.external_id})


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _date(value: Json) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _first(ids: tuple[str, ...]) -> str | None:
    return ids[0] if ids else None


_RECORDS: tuple[type[Event], ...] = (EntityCreated, EntityChanged, EntityDeleted)

RECIPIENTS: View[RecipientDoc] = View(
    name="recipients",
    version=1,
    document=RecipientDoc,
    events=(*_RECORDS, PersonErased),
    key=recipient_key,
    evolve=evolve_recipient,
)
CONTRACTS: View[ContractDoc] = View(
    name="contracts",
    version=2,
    document=ContractDoc,
    events=(*_RECORDS, EntityRelated),
    key=contract_key,
    evolve=evolve_contract,
)
PORTALS: View[PortalDoc] = View(
    name="portals",
    version=2,
    document=PortalDoc,
    events=(PortalConfigured,),
    key=portal_key,
    evolve=evolve_portal,
)
