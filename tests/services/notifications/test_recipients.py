"""What notifications knows of people, contracts and portals, folded from their owners' events; and who is reached."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts.base import Event, Sealed
from contracts.common import Text
from contracts.entities import EntityChanged, EntityCreated, EntityDeleted, EntityRelated
from contracts.envelope import Envelope, Metadata, Record
from contracts.identity import PersonErased
from contracts.ids import Position
from contracts.portal import InstalmentSettings, PortalConfigured
from services.notifications.addressee import Addressee, Unreachable
from services.notifications.recipients.directory import addressee
from services.notifications.recipients.views import CONTRACTS, PORTALS, RECIPIENTS, ContractDoc, PortalDoc, RecipientDoc

ANNA: dict[str, Any] = {"first_name": "Anna", "last_name": "Schmidt", "email": "anna@example.org", "salutation": "ms"}
PORTAL = PortalDoc(
    id="customers", audience="customer", name=Text(de="Mein Lindenau", en="My Lindenau"), url="https://p.example.org/"
)
CONTRACT = ContractDoc(id="c 1/2", number="V-1", division="gas", product="Gas Fix", holder_id="a")


def envelope(event: Event) -> Envelope:
    record = Record(
        Position("entities", 0, 1), "contact/a", 1, event.type, datetime(2026, 11, 21, tzinfo=UTC), Metadata(), b"{}"
    )
    return Envelope(record, event)


def contact(event: type[EntityCreated] | type[EntityChanged], personal: Any, **attributes: Any) -> Event:
    facts: dict[str, Any] = {"entity": "contact", "id": "a", "external_id": "K-1", "person": "contact/a"}
    relations: dict[str, Any] = {"relations": {}} if event is EntityCreated else {}
    return event(**facts, attributes=attributes, personal=personal, **relations)


def folded(*events: Event) -> RecipientDoc | None:
    return RECIPIENTS.fold({}, [envelope(event) for event in events]).get("a")


def test_a_contact_becomes_a_recipient() -> None:
    doc = folded(contact(EntityCreated, ANNA, language="en", customer_number="K-1"))
    assert doc == RecipientDoc(id="a", person="contact/a", language="en", **ANNA)


def test_a_change_replaces_what_it_names_and_null_removes() -> None:
    doc = folded(
        contact(EntityCreated, ANNA, language="en"),
        contact(EntityChanged, {"email": "new@example.org", "salutation": None}, language=None),
    )
    assert doc is not None
    assert (doc.email, doc.salutation, doc.last_name, doc.language) == ("new@example.org", None, "Schmidt", None)


def test_a_language_that_we_do_not_have_is_none() -> None:
    doc = folded(contact(EntityCreated, ANNA, language="fr"))
    assert doc is not None
    assert doc.language is None


def test_sealed_values_say_nothing() -> None:
    doc = folded(contact(EntityCreated, Sealed(sealed="contact/a", box=""), language="de"))
    assert doc == RecipientDoc(id="a", person="contact/a", language="de")


def test_a_deleted_contact_is_gone() -> None:
    assert folded(contact(EntityCreated, ANNA), EntityDeleted(entity="contact", id="a")) is None


@given(st.permutations([0, 1, 2]))
def test_nothing_is_left_of_an_erased_person_in_whatever_order_it_arrives(order: list[int]) -> None:
    events = [
        contact(EntityCreated, ANNA, language="de"),
        contact(EntityChanged, {"email": "new@example.org"}),
        PersonErased(person="contact/a", reason="asked for"),
    ]
    assert folded(
        *(events[index] for index in order), PersonErased(person="contact/a", reason="again")
    ) == RecipientDoc(id="a", erased=True)
    if order.index(2) == 0:
        assert folded(*(events[index] for index in order)) == RecipientDoc(id="a", erased=True)


def test_other_entities_and_persons_concern_nobody() -> None:
    assert RECIPIENTS.key(envelope(EntityDeleted(entity="meter", id="a"))) is None
    assert RECIPIENTS.key(envelope(PersonErased(person="user/a", reason="asked for"))) is None


def test_a_contract_keeps_number_product_and_holder() -> None:
    created = EntityCreated(
        entity="contract",
        id="c",
        external_id="V-1",
        person="contact/a",
        attributes={"division": "gas", "product": "Gas Fix", "status": "active"},
        personal={},
        relations={"holder": ("a",)},
    )
    moved = EntityRelated(entity="contract", id="c", relation="holder", to=("b",))
    other = EntityRelated(entity="contract", id="c", relation="meters", to=("m",))
    changed = EntityChanged(
        entity="contract", id="c", external_id="V-1", person=None, attributes={"number": "V-001"}, personal={}
    )
    fold = CONTRACTS.fold({}, [envelope(event) for event in (created, other)])
    assert fold["c"] == ContractDoc(id="c", number="V-1", division="gas", product="Gas Fix", holder_id="a")
    fold = CONTRACTS.fold(fold, [envelope(event) for event in (moved, changed)])
    assert fold["c"] == ContractDoc(id="c", number="V-001", division="gas", product="Gas Fix", holder_id="b")
    assert CONTRACTS.fold(fold, [envelope(EntityDeleted(entity="contract", id="c"))])["c"] is None


def test_a_portal_keeps_name_and_address() -> None:
    event = PortalConfigured(
        portal_id="customers", audience="customer", name=PORTAL.name, url=PORTAL.url, instalments=InstalmentSettings()
    )
    assert PORTALS.fold({}, [envelope(event)])["customers"] == PORTAL


def test_an_addressee_has_everything_that_a_mail_needs() -> None:
    recipient = RecipientDoc(id="a", person="contact/a", language="en", **ANNA)
    assert addressee("a", recipient, CONTRACT, "V-0", PORTAL) == Addressee(
        contact_id="a",
        person="contact/a",
        address="anna@example.org",
        language="en",
        salutation="ms",
        first_name="Anna",
        last_name="Schmidt",
        contract_number="V-1",
        division="gas",
        product="Gas Fix",
        portal_name="My Lindenau",
        link="https://p.example.org/contracts/c%201%2F2",
    )


def test_what_is_missing_is_waited_for_but_not_an_erased_person() -> None:
    recipient = RecipientDoc(id="a", **ANNA)
    reasons = {
        reached.reason: reached.for_good
        for reached in (
            addressee(None, None, CONTRACT, "V-0", PORTAL),
            addressee("a", RecipientDoc(id="a"), CONTRACT, "V-0", PORTAL),
            addressee("a", recipient, CONTRACT, "V-0", None),
            addressee("a", RecipientDoc(id="a", erased=True), CONTRACT, "V-0", PORTAL),
        )
        if isinstance(reached, Unreachable)
    }
    assert reasons == {"recipient_unknown": False, "no_address": False, "portal_unknown": False, "person_erased": True}


def test_without_a_language_it_is_german_and_without_a_record_the_number_of_the_event() -> None:
    reached = addressee("a", RecipientDoc(id="a", **ANNA), ContractDoc(id="c"), "V-0", PORTAL)
    assert isinstance(reached, Addressee)
    assert (reached.language, reached.contract_number, reached.person) == ("de", "V-0", "contact/a")
