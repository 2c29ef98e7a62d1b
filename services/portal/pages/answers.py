"""What the read-model API answers: the shapes that portal gateways rely on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from contracts.billing import BillingKind, BillingStatus, Direction
from contracts.common import Instalment, Json, Text
from services.portal.definitions.shape import Shape
from services.portal.definitions.shown import said
from services.portal.pages.queries import DEFAULT_CURRENCY, Sums, is_overdue
from services.portal.pages.views import Attributes, BillingEventDoc, ContactDoc, ContractDoc, Plan

CONTRACT_EXAMPLE: dict[str, JsonValue] = {
    "id": "0b7e9a52-93f9-5bb1-8b8c-1f0f6a1f8a11",
    "number": "V-1001",
    "division": "electricity",
    "product": "Lindenau Strom Natur",
    "status": "active",
    "starts_on": "2024-03-01",
    "ends_on": None,
    "in_words": {"status": {"de": "Aktiv", "en": "Active"}},
}
BILLING_EVENT_EXAMPLE: dict[str, JsonValue] = {
    "external_id": "V-1001-2026-11",
    "kind": "instalment",
    "direction": "debit",
    "amount_cents": 9500,
    "currency": "EUR",
    "due_on": "2026-11-15",
    "paid_on": None,
    "status": "open",
    "overdue": True,
}


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Contact(Answer):
    """A customer's own data; null where it is not known, not to be seen in this portal, and after an erasure."""

    id: str
    customer_number: str | None
    language: str | None
    salutation: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    street: str | None
    postcode: str | None
    city: str | None
    erased: bool = Field(description="His personal data was erased for good")

    @classmethod
    def of(cls, contact: ContactDoc, shown: Attributes) -> Contact:
        """A contact with what may be seen of it."""
        names = cls.model_fields.keys() - {"id", "erased"}
        return cls(id=contact.id, erased=contact.erased, **{name: _text(shown, name) for name in names})


class Contract(Answer):
    """A contract. `number` is what is printed on its bills; the others are null where they may not be seen."""

    model_config = ConfigDict(json_schema_extra={"example": CONTRACT_EXAMPLE})

    id: str
    number: str
    division: str | None
    product: str | None
    status: str | None
    starts_on: str | None = Field(description="A date", json_schema_extra={"format": "date"})
    ends_on: str | None = Field(description="A date", json_schema_extra={"format": "date"})
    in_words: dict[str, Text] = Field(description="Division and status as people call them, where the schema says it")

    @classmethod
    def of(cls, contract: ContractDoc, shown: Attributes, shape: Shape) -> Contract:
        """A contract with what may be seen of it."""
        names = ("division", "product", "status", "starts_on", "ends_on")
        values = {name: _text(shown, name) for name in names}
        words = {name: text for name in ("division", "status") if (text := said(shape, name, shown.get(name)))}
        return cls(id=contract.id, number=contract.number, **values, in_words=words)


class Balance(Answer):
    """What is open in the currency of the contract's plan; without a plan, in euros."""

    currency: str
    amount_cents: int = Field(description="Open debit minus open credit; above zero the customer owes it")
    overdue_cents: int = Field(description="What of it the customer should have paid before today")

    @classmethod
    def of(cls, by_currency: Mapping[str, Sums], plan: Plan | None) -> Balance:
        currency = plan.currency if plan else DEFAULT_CURRENCY
        sums = by_currency.get(currency, Sums(0, 0))
        return cls(currency=currency, amount_cents=sums.amount_cents, overdue_cents=sums.overdue_cents)


class NextPayment(Answer):
    """The first of the instalments to come."""

    due_on: date
    amount_cents: int
    currency: str

    @classmethod
    def of(cls, plan: Plan | None, to_come: Sequence[Instalment]) -> NextPayment | None:
        if plan is None or not to_come:
            return None
        return cls(due_on=to_come[0].due_on, amount_cents=to_come[0].amount_cents, currency=plan.currency)


class ListedContract(Contract):
    """A contract with what its reader pays; an installer is told nothing of it."""

    balance: Balance | None = Field(description="Null for installers")
    next_payment: NextPayment | None


class ContractPage(Answer):
    """Contracts in the order of their numbers."""

    items: list[ListedContract]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


class Delivery(Answer):
    """Where the contract supplies."""

    street: str | None
    postcode: str | None
    city: str | None

    @classmethod
    def of(cls, values: Attributes) -> Delivery | None:
        found = {name: _text(values, f"delivery_{name}") for name in cls.model_fields}
        return cls(**found) if any(found.values()) else None


class BillingEvent(Answer):
    """A billing event as the ERP stated it last."""

    model_config = ConfigDict(json_schema_extra={"example": BILLING_EVENT_EXAMPLE})

    external_id: str
    kind: BillingKind
    direction: Direction
    amount_cents: int
    currency: str
    due_on: date
    paid_on: date | None
    status: BillingStatus
    overdue: bool = Field(description="Owed by the customer, open, and due before today")

    @classmethod
    def of(cls, event: BillingEventDoc, today: date) -> BillingEvent:
        return cls(**event.model_dump(exclude={"contract_id"}), overdue=is_overdue(event, today))


class BillingEventOfContract(BillingEvent):
    """A billing event, and the contract that it is about."""

    contract_id: str
    contract_number: str

    @classmethod
    def about(cls, event: BillingEventDoc, number: str, today: date) -> BillingEventOfContract:
        return cls(**event.model_dump(), contract_number=number, overdue=is_overdue(event, today))


class BillingEventsOfContracts(Answer):
    """Billing events of several contracts: what is overdue first, then the others, each by falling due date."""

    items: list[BillingEventOfContract]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


class BillingEventPage(Answer):
    """Billing events: what is overdue first, then the others, each by falling due date."""

    items: list[BillingEvent]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


def coming(plan: Plan | None, today: date, *last_days: date | None) -> list[Instalment]:
    """What of a plan falls due today or later; behind the last day of a contract nothing does."""
    last_day = min((day for day in last_days if day), default=date.max)
    due = [item for item in plan.schedule if today <= item.due_on <= last_day] if plan else []
    return sorted(due, key=lambda item: item.due_on)


def _text(values: dict[str, Json], name: str) -> str | None:
    value = values.get(name)
    return value if isinstance(value, str) else None
