"""Contacts and contracts by what people know of them: plain values of living persons only."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from chassis.views import View, ViewReader
from contracts.base import Event, Sealed, known
from contracts.common import Json
from contracts.entities import EntityChanged, EntityCreated, EntityDeleted, EntityRelated
from contracts.envelope import Envelope
from contracts.ids import stream
from services.identity.addresses import normalised

CONTACT, CONTRACT, HOLDER, EMAIL = "contact", "contract", "holder", "email"
NAMES = ("first_name", "last_name")
MAXIMUM_CONTACTS = 20
"""Of one address; more are as undecided as these."""
MAXIMUM_CONTRACTS = 500


class KnownRecord(BaseModel):
    """A contact or a contract. `erased`: its personal values are gone for good."""

    model_config = ConfigDict(frozen=True)

    entity: str
    id: str
    person: str | None
    erased: bool
    external_id: str | None
    email: str | None = Field(default=None, description="The primary address of a contact, as it is compared")
    holder: str | None = None
    attributes: dict[str, Json]
    personal: dict[str, Json]

    @property
    def name(self) -> str | None:
        """What staff call a contact."""
        return " ".join(str(self.values[part]) for part in NAMES if self.values.get(part)) or None

    @property
    def values(self) -> dict[str, Json]:
        return self.attributes | self.personal


def key(envelope: Envelope) -> str | None:
    match envelope.event:
        case EntityCreated() | EntityChanged() | EntityRelated() | EntityDeleted() as event:
            return stream(event.entity, event.id) if event.entity in {CONTACT, CONTRACT} else None
        case _:
            return None


def evolve(document: KnownRecord | None, envelope: Envelope) -> KnownRecord | None:
    match envelope.event:
        case EntityCreated() as event:
            holder = event.relations.get(HOLDER, ())
            empty = KnownRecord(
                entity=event.entity,
                id=event.id,
                person=event.person,
                erased=False,
                external_id=event.external_id,
                holder=holder[0] if holder else None,
                attributes={},
                personal={},
            )
            return _written(empty, event)
        case EntityChanged() as event if document is not None:
            return _written(document, event)
        case EntityRelated(relation="holder", to=to) if document is not None:
            return document.model_copy(update={"holder": to[0] if to else None})
        case EntityDeleted():
            return None
        case _:
            return document


def _written(document: KnownRecord, event: EntityCreated | EntityChanged) -> KnownRecord:
    same_person = event.person == document.person
    erased = isinstance(event.personal, Sealed) or (document.erased and same_person)
    personal = {} if erased else _merged(document.personal if same_person else {}, known(event.personal) or {})
    attributes = _merged(document.attributes, event.attributes)
    address = (attributes | personal).get(EMAIL)
    mine = event.entity == CONTACT and isinstance(address, str) and bool(address)
    return document.model_copy(
        update={
            "person": event.person,
            "erased": erased,
            "attributes": attributes,
            "personal": personal,
            "email": normalised(str(address)) if mine else None,
        }
    )


def _merged(before: dict[str, Json], changes: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in {**before, **changes}.items() if value is not None}


_EVENTS: tuple[type[Event], ...] = (EntityCreated, EntityChanged, EntityRelated, EntityDeleted)

KNOWN_RECORDS: View[KnownRecord] = View(
    "known_records",
    1,
    KnownRecord,
    _EVENTS,
    key,
    evolve,
    indexes={
        "email": "(doc->>'email')",
        "holder": "(doc->>'holder')",
        "person": "(doc->>'person')",
    },
)

KnownRecords = ViewReader[KnownRecord]


async def contacts_of(records: KnownRecords, email: str) -> list[KnownRecord]:
    """The contacts whose primary address this is."""
    return await records.find("doc->>'email' = %s", [normalised(email)], limit=MAXIMUM_CONTACTS)


async def contracts_of(records: KnownRecords, contact_ids: list[str]) -> list[KnownRecord]:
    """The contracts that these contacts hold."""
    return await records.find(
        "doc->>'holder' = ANY(%s) AND doc->>'entity' = %s", [contact_ids, CONTRACT], limit=MAXIMUM_CONTRACTS
    )


async def find_contact(records: KnownRecords, contact_id: str) -> KnownRecord | None:
    return await records.get(stream(CONTACT, contact_id))
