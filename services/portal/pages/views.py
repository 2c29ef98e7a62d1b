"""The read models behind the pages, one document per contact, contract, plan and billing event.

Each document is folded from streams whose events arrive in order; between topics any order gives the same pages,
because what belongs together is joined when it is read.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from chassis.views import View
from contracts.base import Event, Sealed, known
from contracts.billing import (
    BillingEventRecorded,
    BillingKind,
    BillingStatus,
    Direction,
    InstalmentChanged,
    InstalmentConfirmed,
    InstalmentPlanSet,
    InstalmentRefused,
)
from contracts.common import Instalment, Json
from contracts.entities import EntityChanged, EntityCreated, EntityDeleted, EntityRelated
from contracts.envelope import Envelope
from contracts.identity import PersonErased

RECORD_EVENTS: tuple[type[Event], ...] = (EntityCreated, EntityChanged, EntityRelated, EntityDeleted)
Attributes = dict[str, Json]


class Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ContractDoc(Document):
    """A contract as entities has it. `number` is how the ERP names it, `holder` the contact that it belongs to,
    `installer` the one who works on it.

    Its personal attributes are with their `person`, so that an erasure reaches them.
    """

    id: str
    number: str
    attributes: Attributes
    holder: str | None
    installer: str | None = None
    person: str | None

    def belongs_to(self, contact_id: str | None, audience: str) -> bool:
        """Whether a contact sees it in portals of this audience."""
        return contact_id is not None and contact_id == (self.installer if audience == "installer" else self.holder)

    @property
    def last_day(self) -> date | None:
        """The day on which it ends, as far as that is known."""
        ends_on = self.attributes.get("ends_on")
        try:
            return date.fromisoformat(ends_on) if isinstance(ends_on, str) else None
        except ValueError:
            return None

    @property
    def person_id(self) -> str | None:
        """The contact who has its personal attributes."""
        return contact_of(self.person)

    def values(self, person: ContactDoc | None) -> Attributes:
        """All its attributes, the personal ones of its person among them."""
        return {**self.attributes, **(person.personal.get(self.id, {}) if person else {})}


class ContactDoc(Document):
    """A contact as entities has it, and everything personal that is his, by the id of the record that it belongs to.

    `known` says whether the record itself exists; after an erasure nothing personal is left or let in.
    """

    id: str
    known: bool = False
    erased: bool = False
    attributes: Attributes = {}
    personal: dict[str, Attributes] = {}

    @property
    def values(self) -> Attributes:
        """All his own attributes."""
        return {**self.attributes, **self.personal.get(self.id, {})}


class PendingChange(Document):
    """A change that the ERP has not decided yet; it does not touch the plan in force."""

    change_id: str
    from_cents: int
    amount_cents: int
    currency: str
    effective_from: date
    requested_at: datetime


class Decision(Document):
    """What the ERP said to the last change."""

    change_id: str
    status: Literal["confirmed", "refused"]
    from_cents: int
    amount_cents: int
    currency: str
    reason: str | None
    decided_at: datetime


class Plan(Document):
    """The amount in force from `valid_from` on, and what is to be paid when."""

    amount_cents: int
    currency: str
    valid_from: date
    schedule: tuple[Instalment, ...]


class InstalmentsDoc(Document):
    """The instalments of a contract: the plan in force, and beside it what was asked for."""

    plan: Plan | None = None
    pending: PendingChange | None = None
    last_decision: Decision | None = None


class BillingEventDoc(Document):
    """A billing event of a contract as the ERP stated it last."""

    contract_id: str
    external_id: str
    kind: BillingKind
    direction: Direction
    amount_cents: int
    currency: str
    due_on: date
    paid_on: date | None
    status: BillingStatus


def contract_key(envelope: Envelope) -> str | None:
    return _record_id(envelope.event, "contract")


def evolve_contract(contract: ContractDoc | None, envelope: Envelope) -> ContractDoc | None:
    match envelope.event:
        case EntityCreated() as event:
            holder, installer = (_first(event.relations.get(name, ())) for name in ("holder", "installer"))
            return _contract(event, _merged({}, event.attributes), holder, installer)
        case EntityChanged() as event if contract:
            attributes = _merged(contract.attributes, event.attributes)
            return _contract(event, attributes, contract.holder, contract.installer)
        case EntityRelated(relation="holder" | "installer") as event if contract:
            return contract.model_copy(update={event.relation: _first(event.to)})
        case EntityDeleted():
            return None
        case _:
            return contract


def contact_key(envelope: Envelope) -> str | None:
    """His own record's events, those of records that hold personal values of his, and his erasure."""
    match envelope.event:
        case PersonErased() as event:
            return contact_of(event.person)
        case EntityCreated() | EntityChanged() as event if event.entity != "contact":
            return contact_of(event.person) if known(event.personal) else None
        case EntityDeleted() as event if event.entity != "contact":
            return contact_of(event.person)
        case _:
            return _record_id(envelope.event, "contact")


def evolve_contact(before: ContactDoc | None, envelope: Envelope) -> ContactDoc | None:
    """Contact, contracts and erasure come from different streams: whatever their order, the same is left."""
    contact = before or ContactDoc(id=contact_key(envelope) or "")
    match envelope.event:
        case PersonErased():
            return contact.model_copy(update={"erased": True, "personal": {}})
        case EntityCreated(entity="contact") as event:
            attributes, personal = _merged({}, event.attributes), _opened(contact, event.id, {}, event.personal)
            return contact.model_copy(update={"known": True, "attributes": attributes, "personal": personal})
        case EntityChanged(entity="contact") as event if contact.known:
            attributes = _merged(contact.attributes, event.attributes)
            personal = _opened(contact, event.id, contact.personal.get(event.id, {}), event.personal)
            return contact.model_copy(update={"attributes": attributes, "personal": personal})
        case EntityDeleted(entity="contact"):
            others = {id_: values for id_, values in contact.personal.items() if id_ != contact.id}
            left = ContactDoc(id=contact.id, erased=contact.erased, personal=others)
            return left if left.erased or left.personal else None
        case EntityDeleted() as event:
            others = {id_: values for id_, values in contact.personal.items() if id_ != event.id}
            return contact.model_copy(update={"personal": others}) if before else None
        case EntityCreated() as event:
            return contact.model_copy(update={"personal": _opened(contact, event.id, {}, event.personal)})
        case EntityChanged() as event if event.entity != "contact":
            values = contact.personal.get(event.id, {})
            return contact.model_copy(update={"personal": _opened(contact, event.id, values, event.personal)})
        case _:
            return before


def contact_of(person: str | None) -> str | None:
    """The id of a contact as which a person is known: `contact/4f1c...` -> `4f1c...`."""
    kind, _, id_ = (person or "").partition("/")
    return id_ if kind == "contact" and id_ else None


def instalments_key(envelope: Envelope) -> str | None:
    match envelope.event:
        case InstalmentPlanSet() | InstalmentChanged() | InstalmentConfirmed() | InstalmentRefused() as event:
            return event.contract_id
        case _:
            return None


def evolve_instalments(before: InstalmentsDoc | None, envelope: Envelope) -> InstalmentsDoc | None:
    doc = before or InstalmentsDoc()
    match envelope.event:
        case InstalmentPlanSet() as event:
            plan = Plan(
                amount_cents=event.amount_cents,
                currency=event.currency,
                valid_from=event.valid_from,
                schedule=event.schedule,
            )
            return doc.model_copy(update={"plan": plan})
        case InstalmentChanged() as event:
            pending = PendingChange(
                change_id=event.change_id,
                from_cents=event.from_cents,
                amount_cents=event.amount_cents,
                currency=event.currency,
                effective_from=event.effective_from,
                requested_at=envelope.time,
            )
            return doc.model_copy(update={"pending": pending})
        case InstalmentConfirmed() as event:
            plan = Plan(
                amount_cents=event.amount_cents,
                currency=event.currency,
                valid_from=event.effective_from,
                schedule=event.schedule,
            )
            return _decided(doc, event, envelope.time).model_copy(update={"plan": plan})
        case InstalmentRefused() as event:
            return _decided(doc, event, envelope.time)
        case _:
            return before


def billing_event_key(envelope: Envelope) -> str | None:
    event = envelope.event
    return f"{event.contract_id}/{event.external_id}" if isinstance(event, BillingEventRecorded) else None


def evolve_billing_event(before: BillingEventDoc | None, envelope: Envelope) -> BillingEventDoc | None:
    event = envelope.event
    if not isinstance(event, BillingEventRecorded):
        return before
    return BillingEventDoc(
        contract_id=event.contract_id,
        external_id=event.external_id,
        kind=event.kind,
        direction=event.direction,
        amount_cents=event.amount_cents,
        currency=event.currency,
        due_on=event.due_on,
        paid_on=event.paid_on,
        status=event.status,
    )


def _decided(doc: InstalmentsDoc, event: InstalmentConfirmed | InstalmentRefused, at: datetime) -> InstalmentsDoc:
    refused = isinstance(event, InstalmentRefused)
    decision = Decision(
        change_id=event.change_id,
        status="refused" if refused else "confirmed",
        from_cents=event.current_cents if isinstance(event, InstalmentRefused) else event.from_cents,
        amount_cents=event.amount_cents,
        currency=event.currency,
        reason=event.reason if isinstance(event, InstalmentRefused) else None,
        decided_at=at,
    )
    still_pending = doc.pending if doc.pending and doc.pending.change_id != event.change_id else None
    return doc.model_copy(update={"pending": still_pending, "last_decision": decision})


def _record_id(event: Event, entity: str) -> str | None:
    match event:
        case EntityCreated() | EntityChanged() | EntityRelated() | EntityDeleted() if event.entity == entity:
            return event.id
        case _:
            return None


def _contract(
    event: EntityCreated | EntityChanged, attributes: Attributes, holder: str | None, installer: str | None
) -> ContractDoc:
    return ContractDoc(
        id=event.id,
        number=str(attributes.get("number") or event.external_id or event.id),
        attributes=attributes,
        holder=holder,
        installer=installer,
        person=event.person,
    )


def _merged(before: Attributes, changes: Attributes) -> Attributes:
    """Attributes after a change: null removes one."""
    return {name: value for name, value in (before | changes).items() if value is not None}


def _opened(
    contact: ContactDoc, record_id: str, values: Attributes, changes: Sealed | Attributes
) -> dict[str, Attributes]:
    """All that is personal after a change of one record; a box that nobody can open any more says nothing."""
    if contact.erased:
        return {}
    changed = _merged(values, known(changes) or {})
    others = {id_: values for id_, values in contact.personal.items() if id_ != record_id}
    return {**others, record_id: changed} if changed else others


def _first(ids: tuple[str, ...]) -> str | None:
    return ids[0] if ids else None


CONTRACTS = View(
    name="contracts",
    version=2,
    document=ContractDoc,
    events=RECORD_EVENTS,
    key=contract_key,
    evolve=evolve_contract,
    indexes={
        "holder": "(doc->>'holder'), (doc->>'number'), key",
        "installer": "(doc->>'installer'), (doc->>'number'), key",
        "number": "(doc->>'number'), key",
    },
)
CONTACTS = View(
    name="contacts",
    version=1,
    document=ContactDoc,
    events=(*RECORD_EVENTS, PersonErased),
    key=contact_key,
    evolve=evolve_contact,
)
INSTALMENTS = View(
    name="instalments",
    version=1,
    document=InstalmentsDoc,
    events=(InstalmentPlanSet, InstalmentChanged, InstalmentConfirmed, InstalmentRefused),
    key=instalments_key,
    evolve=evolve_instalments,
)
BILLING_EVENTS = View(
    name="billing_events",
    version=1,
    document=BillingEventDoc,
    events=(BillingEventRecorded,),
    key=billing_event_key,
    evolve=evolve_billing_event,
    indexes={
        "due": "(doc->>'contract_id'), (doc->>'due_on'), key",
        "open": "(doc->>'contract_id'), (doc->>'status'), (doc->>'direction'), (doc->>'due_on'), key",
    },
)
