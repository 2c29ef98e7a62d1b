"""Read models of identity whatever the order of topics, and lists of work whatever comes in between."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from chassis.errors import Rejected
from chassis.keyring import MemoryKeyring
from contracts.base import Event, Sealed
from contracts.common import Text
from contracts.entities import EntityChanged, EntityCreated, EntityDeleted, EntityRelated, SchemaPublished
from contracts.envelope import Envelope, Metadata, Record
from contracts.identity import (
    AccessExpirySet,
    ContactNotMade,
    ContactWanted,
    PersonErased,
    StaffBlocked,
    StaffRegistered,
    UserActivated,
    UserAssigned,
    UserBlocked,
    UserDeleted,
    UserRegistered,
    UserSignedIn,
    UserUnassigned,
)
from contracts.ids import Position
from services.identity.access.table import UserEntry, chosen, csv_of
from services.identity.access.wishes import Details, Wish, Wishes
from services.identity.app import TEXTS
from services.identity.contacts.matching import look_again
from services.identity.contacts.reactions import SETTLED_AFTER, KnownRecordsHandler
from services.identity.contacts.views import KNOWN_RECORDS, KnownRecord
from services.identity.portals.views import LABELS
from services.identity.staff.views import STAFF
from services.identity.together import Together
from services.identity.users.views import USER_ROWS, UserDoc
from tests.services.identity.world import World, address

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
IDS = {"user_id": "u", "portal_id": "customers"}
SEALED = Sealed(sealed="user/u", box="")
REGISTERED = UserRegistered(
    **IDS, person="user/u", email="anna@example.org", name="Anna", language="de", already_customer=True
)
ERASED = PersonErased(person="user/u", reason="a test")


def envelopes(*events: Event) -> list[Envelope]:
    position = Position("identity", 0, 1)
    record = Record(position, "x/u", 1, "t", NOW, Metadata(), b"")
    return [Envelope(record._replace(type=event.type), event) for event in events]


def user(*events: Event) -> UserDoc | None:
    return USER_ROWS.fold({}, envelopes(*events))["u"]


def test_a_row_tells_what_became_of_a_user() -> None:
    assigned = UserAssigned(**IDS, contact_id="c", by="email")
    doc = user(REGISTERED, assigned, UserActivated(**IDS), UserSignedIn(**IDS), UserBlocked(**IDS, reason="x"))
    assert doc is not None
    row = doc.row
    assert row is not None
    assert (row.registration, row.assignment, row.contact_id, row.blocked) == ("registered", "assigned", "c", True)
    assert row.activated_at == row.signed_in_at == NOW
    left = user(REGISTERED, assigned, UserUnassigned(**IDS, contact_id="c", reason=""))
    assert left is not None
    assert left.row is not None
    assert (left.row.assignment, left.row.contact_id) == ("pending", None)
    wanted = ContactWanted(**IDS, contact_id="c", customer_number="P-1", person="contact/c", values={})
    not_made = ContactNotMade(**IDS, contact_id="c", code="invalid_date", attribute="born_on")
    for events, refusal in (
        ((wanted, not_made), "invalid_date: born_on"),
        ((wanted, not_made.model_copy(update={"attribute": None})), "invalid_date"),
        ((wanted, not_made, wanted), None),
        ((wanted, not_made, assigned), None),
    ):
        refused = user(REGISTERED, *events)
        assert refused is not None
        assert refused.row is not None
        assert refused.row.contact_refusal == refusal
    until = user(REGISTERED, AccessExpirySet(**IDS, expires_at=NOW))
    assert until is not None
    assert until.row is not None
    assert until.row.expires_at == NOW


@pytest.mark.parametrize(
    "events",
    [
        (REGISTERED, ERASED),
        (ERASED, REGISTERED),
        (REGISTERED.model_copy(update={"email": SEALED, "name": SEALED}),),
    ],
)
def test_an_erased_user_is_unreadable_whatever_came_first(events: tuple[Event, ...]) -> None:
    doc = user(*events)
    assert doc is not None
    assert doc.row is not None
    assert (doc.row.email, doc.row.name, doc.text) == (None, None, "")


def test_a_deleted_user_is_in_no_list() -> None:
    doc = user(REGISTERED, UserDeleted(**IDS), UserSignedIn(**IDS), ERASED)
    assert doc is not None
    assert doc.row is None


MEMBER = StaffRegistered(
    staff_id="u", person="staff/u", email="sam@example.org", name="Sam", groups=(), roles=("staff",), language="de"
)


@pytest.mark.parametrize("erased_first", [True, False])
def test_an_erased_member_of_staff_is_unreadable(erased_first: bool) -> None:
    events = [MEMBER, PersonErased(person="staff/u", reason="a test")]
    doc = STAFF.fold({}, envelopes(*(reversed(events) if erased_first else events), StaffBlocked(staff_id="u")))["u"]
    assert doc is not None
    assert (doc.email, doc.name, doc.erased, doc.blocked, doc.registered) == (None, None, True, True, True)


CONTACT = EntityCreated(
    entity="contact",
    id="u",
    external_id="K-1",
    person="contact/u",
    attributes={"customer_number": "K-1"},
    personal={"email": "Anna@Example.org", "first_name": "Anna", "last_name": "Sommer"},
    relations={},
)


def contact(*events: Event) -> KnownRecord | None:
    return KNOWN_RECORDS.fold({}, envelopes(*events))["contact/u"]


def changed(**personal: str | None) -> EntityChanged:
    return EntityChanged(
        entity="contact", id="u", external_id=None, person="contact/u", attributes={}, personal=dict(personal)
    )


def test_a_contact_is_known_by_its_address() -> None:
    known = contact(CONTACT)
    assert known is not None
    assert (known.email, known.name, known.values["customer_number"]) == ("anna@example.org", "Anna Sommer", "K-1")
    other = contact(CONTACT, changed(email="other@example.org"))
    assert other is not None
    assert other.email == "other@example.org"
    none = contact(CONTACT, changed(email=None))
    assert none is not None
    assert none.email is None
    assert contact(CONTACT, EntityDeleted(entity="contact", id="u")) is None


def test_a_contact_whose_key_is_gone_has_no_personal_values() -> None:
    gone = contact(CONTACT.model_copy(update={"personal": Sealed(sealed="contact/u", box="")}), changed(email="x@y.de"))
    assert gone is not None
    assert (gone.erased, gone.email, gone.personal, gone.name) == (True, None, {}, None)


def test_a_contract_follows_its_holder_and_other_records_are_nobodys() -> None:
    made = CONTACT.model_copy(update={"entity": "contract", "relations": {"holder": ("a",)}})
    moved = EntityRelated(entity="contract", id="u", relation="holder", to=("b",))
    contract = KNOWN_RECORDS.fold({}, envelopes(made, moved))["contract/u"]
    assert contract is not None
    assert (contract.holder, contract.email) == ("b", None)
    meter = CONTACT.model_copy(update={"entity": "meter"})
    assert KNOWN_RECORDS.fold({}, envelopes(meter)) == {}


def test_attributes_are_called_as_their_schema_says() -> None:
    definition = {"attributes": {"customer_number": {"label": {"de": "Kundennummer", "en": "Number"}}, "old_id": {}}}
    published = SchemaPublished(entity="contact", schema_version=1, definition=definition)  # type: ignore[arg-type]
    doc = LABELS.fold({}, envelopes(published))["contact"]
    assert doc is not None
    assert doc.labels["customer_number"] == Text(de="Kundennummer", en="Number")
    assert doc.labels["old_id"] == Text(de="Old id", en="Old id")


def test_columns_are_those_of_the_table() -> None:
    assert chosen(" email , name,") == ("email", "name")
    assert "contact_name" in chosen("")
    with pytest.raises(Rejected, match="invalid_column"):
        chosen("email,phc")


async def test_every_column_has_a_heading_and_every_value_fits_a_cell() -> None:
    entry = UserEntry(**UserEntry.model_construct(user_id="u").model_dump() | row_values())

    async def pages():  # type: ignore[no-untyped-def]
        yield [entry]

    for language in ("de", "en"):
        heading, line = [part async for part in csv_of(pages(), chosen(""), TEXTS, language)]
        assert all("_" not in name for name in heading.strip().split(";"))
        assert len(line.split(";")) == len(heading.split(";"))


def row_values() -> dict[str, object]:
    doc = user(REGISTERED)
    assert doc is not None
    assert doc.row is not None
    return doc.row.model_dump()


async def test_contacts_of_an_import_are_looked_at_when_it_has_passed_by(world: World) -> None:
    """Else the first of two contacts with one address would be taken for the only one."""
    far, one, other = world.clock() + timedelta(days=1), address(), address()
    later = far + timedelta(milliseconds=500)
    created = CONTACT.model_copy(update={"personal": {"email": one}})
    async with world.service.pool.connection() as connection, connection.transaction(force_rollback=True):

        async def listed() -> dict[str, datetime]:
            rows = await connection.execute("SELECT email, due_at FROM matching WHERE email = ANY(%s)", ([one, other],))
            return dict(await rows.fetchall())

        await KnownRecordsHandler(MemoryKeyring(), lambda: far).apply(connection, envelopes(created))
        assert await listed() == {one: far + SETTLED_AFTER}
        await KnownRecordsHandler(MemoryKeyring(), lambda: later).apply(connection, envelopes(changed(email=other)))
        assert await listed() == {one: later + SETTLED_AFTER, other: later + SETTLED_AFTER}


async def test_instances_fulfil_each_wish_once(world: World) -> None:
    together = Together(world.service.pool, world.service.streams)
    others = [Wishes(world.service.pool, together, lambda: None) for _ in range(3)]
    email = address()
    for _ in range(6):
        await others[0].add(Wish("registration", "customers", email, Details(phc="x", already_customer=True)))
    tasks = [asyncio.create_task(other.run()) for other in others]
    try:
        await world.wishes_done()
    finally:
        for task in tasks:
            task.cancel()
    ((user_id,),) = await world.rows("SELECT user_id FROM users WHERE email = %s", email)
    happened = await world.happened(user_id)
    assert (happened.count("UserRegistered"), happened.count("ActivationRequested")) == (1, 5)


async def test_an_address_asked_for_while_it_is_looked_at_stays_on_the_list(world: World) -> None:
    email, late = address(), world.clock() + timedelta(days=1)
    async with world.service.pool.connection() as connection:
        await look_again(connection, [email], late)
        leased = "UPDATE matching SET tries = 1, due_at = %s WHERE email = %s RETURNING asked"
        ((asked,),) = await world.rows(leased, late + timedelta(seconds=30), email)
        await look_again(connection, [email], late)
        await connection.execute("DELETE FROM matching WHERE (email, asked) = (%s, %s)", (email, asked))
    assert await world.rows("SELECT due_at, tries FROM matching WHERE email = %s", email) == [(late, 0)]
    await world.rows("DELETE FROM matching WHERE email = %s RETURNING 1", email)
