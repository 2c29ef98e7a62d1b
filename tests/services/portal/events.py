"""Events of other services as the portal gets them, with envelopes around them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from contracts.base import Event, Personal
from contracts.billing import (
    BillingEventRecorded,
    InstalmentChanged,
    InstalmentConfirmed,
    InstalmentPlanSet,
    InstalmentRefused,
)
from contracts.common import Instalment, Json
from contracts.entities import EntityCreated
from contracts.envelope import Envelope, Metadata, Record
from contracts.ids import Position

CONTRACT_SCHEMA: dict[str, Any] = {
    "entity": "contract",
    "label": {"de": "Vertrag", "en": "Contract"},
    "title": {"attribute": "number"},
    "groups": {
        "general": {
            "label": {"de": "Generelle Details", "en": "General details"},
            "attributes": ["number", "status", "division", "product", "starts_on"],
        },
        "cancellation": {
            "label": {"de": "Kündigung", "en": "Cancellation"},
            "attributes": ["cancel_reason", "ends_on"],
        },
        "delivery": {
            "label": {"de": "Lieferanschrift", "en": "Delivery address"},
            "attributes": ["delivery_street", "delivery_city"],
        },
    },
    "attributes": {
        "number": {"type": "text", "unique": True, "label": {"de": "Vertragsnummer", "en": "Contract number"}},
        "status": {
            "type": "choice",
            "decided_by": "billing",
            "label": {"de": "Status", "en": "Status"},
            "options": {
                "active": {"de": "Aktiv", "en": "Active"},
                "in_cancellation": {"de": "In Kündigung", "en": "In cancellation"},
            },
        },
        "division": {"type": "choice", "options": ["electricity", "gas"]},
        "product": {"type": "text", "label": {"de": "Produkt", "en": "Product"}},
        "starts_on": {"type": "date", "label": {"de": "Beginn", "en": "Start"}},
        "ends_on": {"type": "date", "label": {"de": "Ende", "en": "End"}},
        "price_fixed_until": {"type": "date", "label": {"de": "Preis fest bis", "en": "Price fixed until"}},
        "cancel_reason": {"type": "text", "personal": True, "label": {"de": "Grund", "en": "Reason"}},
        "delivery_street": {"type": "text", "personal": True, "label": {"de": "Straße", "en": "Street"}},
        "delivery_city": {"type": "text", "personal": True, "label": {"de": "Ort", "en": "City"}},
    },
    "relations": {"holder": {"to": "contact"}},
}
CONTACT_SCHEMA: dict[str, Any] = {
    "entity": "contact",
    "label": {"de": "Kontakt", "en": "Contact"},
    "title": {"attribute": "last_name"},
    "groups": {"reach": {"label": {"de": "Erreichbarkeit", "en": "How to reach"}, "attributes": ["email", "phone"]}},
    "attributes": {
        "customer_number": {"type": "text", "unique": True, "label": {"de": "Kundennummer", "en": "Customer number"}},
        "first_name": {"type": "text", "personal": True, "label": {"de": "Vorname", "en": "First name"}},
        "last_name": {"type": "text", "personal": True, "label": {"de": "Nachname", "en": "Last name"}},
        "language": {"type": "choice", "options": ["de", "en"]},
        "email": {"type": "email", "personal": True, "label": {"de": "E-Mail", "en": "E-mail"}},
        "phone": {"type": "phone", "personal": True, "label": {"de": "Telefon", "en": "Phone"}},
        "street": {"type": "text", "personal": True, "label": {"de": "Straße", "en": "Street"}},
        "card_valid_until": {"type": "date", "label": {"de": "Ausweis gültig bis", "en": "Card valid until"}},
    },
}
NOW = datetime(2026, 11, 10, 9, 30, tzinfo=UTC)
TODAY = date(2026, 11, 10)
SCHEDULE = (
    Instalment(due_on=date(2026, 12, 15), amount_cents=9_500),
    Instalment(due_on=date(2027, 1, 15), amount_cents=9_500),
)
LOWER = tuple(item.model_copy(update={"amount_cents": 8_500}) for item in SCHEDULE)


def enveloped(event: Event, stream: str = "any/stream", sequence: int = 1) -> Envelope:
    position = Position(event.service, 0, sequence)
    return Envelope(Record(position, stream, sequence, event.type, NOW, Metadata(), b"{}"), event)


def contract_created(contract_id: str, number: str, holder: str | None, **attributes: Json) -> EntityCreated:
    delivery: dict[str, Json] = {"delivery_street": "Lindenallee 4", "delivery_city": "Lindenau"}
    return EntityCreated(
        entity="contract",
        id=contract_id,
        external_id=number,
        person=f"contact/{holder}" if holder else None,
        attributes={"number": number, "status": "active", "division": "electricity", "product": "Strom", **attributes},
        personal=delivery if holder else {},
        relations={"holder": (holder,)} if holder else {},
    )


def contact_created(contact_id: str, personal: Personal[dict[str, Json]] | None = None) -> EntityCreated:
    return EntityCreated(
        entity="contact",
        id=contact_id,
        external_id=f"K-{contact_id}",
        person=f"contact/{contact_id}",
        attributes={"customer_number": f"K-{contact_id}", "language": "de"},
        personal={"first_name": "Anna", "last_name": "Sommer"} if personal is None else personal,
        relations={},
    )


def plan_set(contract_id: str, amount_cents: int = 9_500) -> InstalmentPlanSet:
    return InstalmentPlanSet(
        contract_id=contract_id,
        contract_number="V-1",
        contact_id=None,
        amount_cents=amount_cents,
        currency="EUR",
        valid_from=date(2026, 1, 1),
        schedule=SCHEDULE,
    )


def changed(contract_id: str, change_id: str = "c1") -> InstalmentChanged:
    return InstalmentChanged(
        contract_id=contract_id,
        contract_number="V-1",
        contact_id=None,
        change_id=change_id,
        from_cents=9_500,
        amount_cents=8_500,
        currency="EUR",
        effective_from=date(2026, 12, 15),
        changed_on=TODAY,
        portal_id="customers",
    )


def confirmed(contract_id: str, change_id: str = "c1") -> InstalmentConfirmed:
    return InstalmentConfirmed(
        contract_id=contract_id,
        contract_number="V-1",
        contact_id=None,
        change_id=change_id,
        from_cents=9_500,
        amount_cents=8_500,
        currency="EUR",
        effective_from=date(2026, 12, 15),
        schedule=LOWER,
    )


def refused(contract_id: str, change_id: str = "c1") -> InstalmentRefused:
    return InstalmentRefused(
        contract_id=contract_id,
        contract_number="V-1",
        contact_id=None,
        change_id=change_id,
        amount_cents=8_500,
        current_cents=9_500,
        currency="EUR",
        reason="Der Zähler wurde noch nicht abgelesen.",
    )


def billed(
    contract_id: str,
    external_id: str,
    due_on: date,
    *,
    paid_on: date | None = None,
    amount_cents: int = 9_500,
    credit: bool = False,
    currency: str = "EUR",
) -> BillingEventRecorded:
    return BillingEventRecorded(
        contract_id=contract_id,
        contract_number="V-1",
        contact_id=None,
        external_id=external_id,
        kind="bonus" if credit else "instalment",
        direction="credit" if credit else "debit",
        amount_cents=amount_cents,
        currency=currency,
        due_on=due_on,
        paid_on=paid_on,
        status="closed" if paid_on else "open",
    )
