"""The read models as folds: what the pages show after events, whatever order the topics arrive in."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from chassis.views import D, View
from contracts.base import Event, Sealed
from contracts.billing import InstalmentChanged, InstalmentConfirmed, InstalmentPlanSet, InstalmentRefused
from contracts.entities import EntityChanged, EntityDeleted, EntityRelated
from contracts.envelope import Envelope
from contracts.identity import PersonErased
from contracts.ids import stream
from services.portal.pages.views import BILLING_EVENTS, CONTACTS, CONTRACTS, INSTALMENTS, ContactDoc
from tests.services.portal.events import (
    LOWER,
    NOW,
    SCHEDULE,
    billed,
    changed,
    confirmed,
    contact_created,
    contract_created,
    enveloped,
    plan_set,
    refused,
)

VIEWS: tuple[View[Any], ...] = (CONTRACTS, CONTACTS, INSTALMENTS, BILLING_EVENTS)
BOX = Sealed(sealed="contact/a", box="")


def folded(view: View[D], events: Sequence[Event]) -> dict[str, D]:
    envelopes = [enveloped(event) for event in events if isinstance(event, view.events)]
    return {key: document for key, document in view.fold({}, envelopes).items() if document is not None}


def one(view: View[D], *events: Event) -> D:
    (document,) = folded(view, events).values()
    return document


def contract_changed(contract_id: str, person: str | None, **personal: str | None) -> EntityChanged:
    return EntityChanged(
        entity="contract",
        id=contract_id,
        external_id="V-1",
        person=person,
        attributes={"product": "Strom Natur", "division": None},
        personal={**personal},
    )


class TestContracts:
    def test_attributes_and_holder(self) -> None:
        events = [contract_created("1", "V-1", "a"), contract_changed("1", "contact/a")]
        assert one(CONTRACTS, *events).model_dump() == {
            "id": "1",
            "number": "V-1",
            "attributes": {"number": "V-1", "status": "active", "product": "Strom Natur"},
            "holder": "a",
            "installer": None,
            "person": "contact/a",
        }

    def test_another_holder(self) -> None:
        related = EntityRelated(entity="contract", id="1", relation="holder", to=("b",))
        meters = EntityRelated(entity="contract", id="1", relation="meters", to=("m",))
        document = one(CONTRACTS, contract_created("1", "V-1", "a"), related, meters)
        assert document.model_dump()["holder"] == "b"

    def test_deleted(self) -> None:
        assert not folded(CONTRACTS, [contract_created("1", "V-1", "a"), EntityDeleted(entity="contract", id="1")])

    def test_holds_nothing_personal(self) -> None:
        document = one(CONTRACTS, contract_created("1", "V-1", "a"))
        assert "Lindenallee" not in document.model_dump_json()


class TestContacts:
    def test_his_own_and_what_his_contracts_hold(self) -> None:
        without_city = contract_changed("1", "contact/a", delivery_city=None)
        events = [contact_created("a"), contract_created("1", "V-1", "a"), without_city]
        assert one(CONTACTS, *events) == ContactDoc(
            id="a",
            known=True,
            attributes={"customer_number": "K-a", "language": "de"},
            personal={"a": {"first_name": "Anna", "last_name": "Sommer"}, "1": {"delivery_street": "Lindenallee 4"}},
        )

    def test_erased(self) -> None:
        erased = PersonErased(person="contact/a", reason="asked for it")
        document = one(CONTACTS, contact_created("a"), contract_created("1", "V-1", "a"), erased)
        assert document == ContactDoc(
            id="a", known=True, erased=True, attributes={"customer_number": "K-a", "language": "de"}
        )

    def test_a_sealed_box_says_nothing(self) -> None:
        document = one(CONTACTS, contact_created("a", BOX))
        assert document.model_dump()["personal"] == {}

    def test_other_persons_are_not_contacts(self) -> None:
        assert not folded(CONTACTS, [PersonErased(person="user/a", reason="x")])


class TestInstalments:
    def test_a_change_stands_beside_the_plan(self) -> None:
        document = one(INSTALMENTS, plan_set("1"), changed("1"))
        shown = document.model_dump()
        assert (shown["plan"]["amount_cents"], shown["pending"]["amount_cents"]) == (9_500, 8_500)
        assert shown["pending"]["requested_at"] == NOW
        assert shown["last_decision"] is None

    def test_confirmed_it_becomes_the_plan(self) -> None:
        document = one(INSTALMENTS, plan_set("1"), changed("1"), confirmed("1"))
        shown = document.model_dump()
        assert (shown["plan"]["amount_cents"], shown["plan"]["valid_from"]) == (8_500, date(2026, 12, 15))
        assert shown["plan"]["schedule"] == tuple(item.model_dump() for item in LOWER)
        assert shown["pending"] is None
        assert shown["last_decision"]["status"] == "confirmed"

    def test_refused_the_plan_stays_and_the_reason_is_told(self) -> None:
        document = one(INSTALMENTS, plan_set("1"), changed("1"), refused("1"))
        shown = document.model_dump()
        assert (shown["plan"]["amount_cents"], shown["pending"]) == (9_500, None)
        assert shown["plan"]["schedule"] == tuple(item.model_dump() for item in SCHEDULE)
        assert shown["last_decision"]["reason"] == "Der Zähler wurde noch nicht abgelesen."

    def test_a_decision_on_another_change_leaves_the_pending_one(self) -> None:
        document = one(INSTALMENTS, plan_set("1"), changed("1", "c2"), refused("1", "c1"))
        assert document.model_dump()["pending"]["change_id"] == "c2"


class TestBillingEvents:
    def test_the_last_word_counts(self) -> None:
        first, second = (
            billed("1", "r1", date(2026, 11, 1)),
            billed("1", "r1", date(2026, 11, 1), paid_on=date(2026, 11, 2)),
        )
        document = one(BILLING_EVENTS, first, second)
        assert document.model_dump()["status"] == "closed"


PEOPLE = st.sampled_from(["a", "b"])
CITIES = st.sampled_from([None, "Lindenau", "Auheim"])


@st.composite
def histories(draw: st.DrawFn) -> list[list[tuple[str, Event]]]:
    """The streams of two contracts and two contacts in three services, each in its order."""
    streams: list[list[tuple[str, Event]]] = []
    for contract_id in ("1", "2"):
        name = stream("contract", contract_id)
        holder = draw(PEOPLE)
        records: list[Event] = [contract_created(contract_id, f"V-{contract_id}", holder)]
        records += [
            contract_changed(contract_id, f"contact/{holder}", delivery_city=city)
            for city in draw(st.lists(CITIES, max_size=2))
        ]
        streams.append([(name, event) for event in records])
        billing = draw(
            st.lists(
                st.sampled_from(
                    [plan_set(contract_id), changed(contract_id), confirmed(contract_id), refused(contract_id)]
                )
            )
        )
        streams.append([(stream("instalments", contract_id), event) for event in billing])
        days = draw(st.lists(st.integers(1, 28), max_size=3))
        ledger = [billed(contract_id, "r1", date(2026, 11, day)) for day in days]
        streams.append([(stream("billing_event", contract_id), event) for event in ledger])
    for contact_id in ("a", "b"):
        deleted = draw(st.booleans())
        own: list[Event] = [contact_created(contact_id)]
        own += [EntityDeleted(entity="contact", id=contact_id)] if deleted else []
        streams.append([(stream("contact", contact_id), event) for event in own])
        erasures = [PersonErased(person=f"contact/{contact_id}", reason="x")] if draw(st.booleans()) else []
        streams.append([(stream("person", contact_id), event) for event in erasures])
    return streams


@st.composite
def interleavings(draw: st.DrawFn) -> tuple[list[Event], list[Event]]:
    """The same streams one after the other, and mixed; within a stream the order stays."""
    streams = draw(histories())
    labels = draw(st.permutations([n for n, events in enumerate(streams) for _ in events]))
    rest = [iter(events) for events in streams]
    mixed = [next(rest[label])[1] for label in labels]
    return [event for events in streams for _, event in events], mixed


@given(interleavings())
def test_the_order_between_streams_does_not_matter(orders: tuple[list[Event], list[Event]]) -> None:
    in_order, mixed = orders
    for view in VIEWS:
        assert folded(view, in_order) == folded(view, mixed), view.name


@given(interleavings(), st.data())
def test_batches_do_not_matter(orders: tuple[list[Event], list[Event]], data: st.DataObject) -> None:
    events = orders[1]
    cut = data.draw(st.integers(0, len(events)))
    for view in VIEWS:
        envelopes = [enveloped(event) for event in events if isinstance(event, view.events)]
        documents: dict[str, BaseModel | None] = {}
        for batch in (envelopes[:cut], envelopes[cut:]):
            stored = {key: _stored(view, document) for key, document in documents.items() if document is not None}
            documents |= view.fold(stored, batch)
        assert {key: doc for key, doc in documents.items() if doc is not None} == folded(view, events), view.name


def _stored(view: View[D], document: D) -> D:
    return view.document.model_validate_json(document.model_dump_json())


@given(interleavings())
def test_nothing_personal_of_an_erased_person_is_left(orders: tuple[list[Event], list[Event]]) -> None:
    events = orders[1]
    erased = {event.person for event in events if isinstance(event, PersonErased)}
    for document in folded(CONTACTS, events).values():
        assert not (f"contact/{document.id}" in erased and document.personal)


def test_every_event_of_a_view_has_a_key_or_is_passed_over() -> None:
    contract, contact = contract_created("1", "V-1", "a"), contact_created("a")
    assert [view.key(enveloped(contract)) for view in (CONTRACTS, CONTACTS)] == ["1", "a"]
    assert [view.key(enveloped(contact)) for view in (CONTRACTS, CONTACTS)] == [None, "a"]
    of_instalments: tuple[type[Event], ...] = (
        InstalmentPlanSet,
        InstalmentChanged,
        InstalmentConfirmed,
        InstalmentRefused,
    )
    assert set(INSTALMENTS.events) == set(of_instalments)
    envelope: Envelope = enveloped(billed("1", "r1", date(2026, 11, 1)))
    assert BILLING_EVENTS.key(envelope) == "1/r1"
