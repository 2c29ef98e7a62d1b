"""What notifications knows of people, contracts and portals, folded from their owners' events; and who is reached."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts.base import Event, Sealed
from contracts.common import Text
from contracts.entities import EntityChanged, EntityCreated, EntityDeleted, EntityRelated
from contracts.envelope import Envelope, Metadata, Record
from contracts.identity import (
    PersonErased,
    StaffBlocked,
    StaffChanged,
    StaffRegistered,
    UserAssigned,
    UserDeleted,
    UserRegistered,
    UserUnassigned,
)
from contracts.ids import Position
from contracts.portal import InstalmentSettings, PortalConfigured
from services.notifications.addressee import AboutContract, Addressee, OfPortal, Unreachable, Wanted
from services.notifications.links import deep_link
from services.notifications.recipients.directory import of_contact, of_person
from services.notifications.recipients.people import COLLEAGUES, SUBMITTERS, USERS, StaffDoc, SubmitterDoc, UserDoc
from services.notifications.recipients.views import CONTRACTS, PORTALS, RECIPIENTS, ContractDoc, PortalDoc, RecipientDoc
from tests.services.notifications.events import submitted

ANNA: dict[str, Any] = {"first_name": "Anna", "last_name": "Schmidt", "email": "anna@example.org", "salutation": "ms"}
PORTAL = PortalDoc(
    id="customers",
    audience="customer",
    name=Text(de="Mein Lindenau", en="My Lindenau"),
    url="https://p.example.org/",
    brand="#0b6e4f",
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
    assert of_contact("a", recipient, CONTRACT, PORTAL) == Addressee(
        kind="contact",
        contact_id="a",
        person="contact/a",
        address="anna@example.org",
        language="en",
        salutation="ms",
        first_name="Anna",
        last_name="Schmidt",
        contract=AboutContract("V-1", "gas", "Gas Fix", None),
        portal=OfPortal("customers", "My Lindenau", "https://p.example.org/", "#0b6e4f"),
    )


def test_links_lead_to_the_very_matter() -> None:
    assert deep_link(PORTAL.url, "contract", {"contract_id": "c 1/2"}) == "https://p.example.org/contracts/c%201%2F2"
    task = {"instance_id": "i-1", "step_id": "proof"}
    assert deep_link(PORTAL.url, "task", task) == "https://p.example.org/tasks/i-1/proof"
    assert deep_link(PORTAL.url, "portal", {}) == "https://p.example.org"
    assert deep_link(PORTAL.url, "contract", {"contract_id": None}) == "https://p.example.org"


def test_what_is_missing_is_waited_for_but_not_an_erased_person() -> None:
    recipient = RecipientDoc(id="a", **ANNA)
    reasons = {
        reached.reason: reached.for_good
        for reached in (
            of_contact(None, None, CONTRACT, PORTAL),
            of_contact("a", RecipientDoc(id="a"), CONTRACT, PORTAL),
            of_contact("a", recipient, CONTRACT, None),
            of_contact("a", RecipientDoc(id="a", erased=True), CONTRACT, PORTAL),
        )
        if isinstance(reached, Unreachable)
    }
    assert reasons == {"recipient_unknown": False, "no_address": False, "portal_unknown": False, "person_erased": True}


def test_without_a_language_it_is_german() -> None:
    reached = of_contact("a", RecipientDoc(id="a", **ANNA), None, PORTAL)
    assert isinstance(reached, Addressee)
    assert (reached.language, reached.contract, reached.person) == ("de", None, "contact/a")


USER = Wanted("user", "u", None, None, "customers", audience=None)
REGISTERED = UserRegistered(
    user_id="u",
    portal_id="customers",
    person="user/u",
    email="u@example.org",
    name="Win money at evil.example",
    language="en",
    already_customer=True,
)
STAFF = StaffRegistered(
    staff_id="s",
    person="staff/s",
    email="s@example.org",
    name="Otto",
    groups=("customer_service",),
    roles=("staff",),
    language="de",
)


def of_user(*events: Event) -> UserDoc | None:
    return USERS.fold({}, [envelope(event) for event in events]).get("u")


def test_a_user_is_written_to_at_his_address_and_not_called_what_he_typed() -> None:
    doc = of_user(REGISTERED)
    reached = of_person(USER, doc, None, None, PORTAL)
    assert isinstance(reached, Addressee)
    assert (reached.address, reached.person, reached.language) == ("u@example.org", "user/u", "en")
    assert (reached.first_name, reached.last_name, reached.contact_id) == (None, None, None)
    assert "money" not in str(doc)


def test_a_user_who_is_a_contact_is_greeted_as_the_contact() -> None:
    facts = {"user_id": "u", "portal_id": "customers", "contact_id": "a"}
    doc = of_user(REGISTERED, UserAssigned(**facts, by="staff"))
    reached = of_person(USER, doc, RecipientDoc(id="a", **ANNA), None, PORTAL)
    assert isinstance(reached, Addressee)
    assert (reached.last_name, reached.contact_id, reached.address) == ("Schmidt", "a", "u@example.org")
    gone = of_user(REGISTERED, UserAssigned(**facts, by="staff"), UserUnassigned(**facts, reason="wrong one"))
    assert gone is not None
    assert gone.contact_id is None
    assert of_user(REGISTERED, UserDeleted(user_id="u", portal_id="customers")) is None


@given(st.permutations(range(3)))
def test_nothing_is_left_of_erased_users_staff_and_submitters(order: list[int]) -> None:
    facts = {"user_id": "u", "portal_id": "customers", "contact_id": "a"}
    events = [REGISTERED, UserAssigned(**facts, by="email"), PersonErased(person="user/u", reason="asked for")]
    last = PersonErased(person="user/u", reason="again")
    assert of_user(*(events[index] for index in order), last) == UserDoc(id="u", person="user/u", erased=True)
    gone = PersonErased(person="staff/s", reason="left")
    folded_staff = COLLEAGUES.fold({}, [envelope(STAFF), envelope(gone), envelope(STAFF)])["s"]
    assert folded_staff == StaffDoc(id="s", person="staff/s", erased=True)
    for wanted, doc in ((USER, of_user(*events)), (Wanted("staff", "s", None, None, None), folded_staff)):
        assert of_person(wanted, doc, None, None, PORTAL) == Unreachable("person_erased", for_good=True)


def test_staff_are_known_by_their_groups() -> None:
    events = [STAFF, StaffChanged(staff_id="s", groups=("sales",), roles=("staff",)), StaffBlocked(staff_id="s")]
    docs = [COLLEAGUES.fold({}, [envelope(event) for event in events[:count]])["s"] for count in (1, 2, 3)]
    assert [(doc.groups, doc.blocked) for doc in docs if doc] == [
        (("customer_service",), False),
        (("sales",), False),
        (("sales",), True),
    ]


def test_somebody_unknown_is_reached_at_the_address_that_he_gave_or_never() -> None:
    wanted = Wanted("submission", "x", None, None, "customers", audience=None)
    assert SUBMITTERS.key(envelope(submitted(contact_id="a", person="contact/a"))) is None
    doc = SUBMITTERS.fold({}, [envelope(submitted())])["x"]
    assert doc == SubmitterDoc(id="x", person="submission/x", email="cleo@example.org", language="en")
    without = SUBMITTERS.fold({}, [envelope(submitted(email=None))])["x"]
    assert of_person(wanted, without, None, None, PORTAL) == Unreachable("no_address", for_good=True, language="en")
