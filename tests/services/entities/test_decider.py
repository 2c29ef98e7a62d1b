"""The rules of records, told as given, when, then."""

from dataclasses import replace
from typing import Any

from hypothesis import given as holds_for
from hypothesis import strategies as st

from chassis.errors import Rejected
from contracts.base import Event, Sealed
from contracts.entities import EntityChanged, EntityCreated, EntityDeleted, EntityRelated
from services.entities.app import SCHEMAS
from services.entities.records.decider import DeleteRecord, PutRecord, decider_of
from services.entities.records.state import NoRecord, Record
from tests.support import given

CONTACT = decider_of(SCHEMAS["contact"])
CONTRACT = decider_of(SCHEMAS["contract"])
BOX = Sealed(sealed="contact/a", box="")


def put_contact(**values: object) -> PutRecord:
    return PutRecord("a", "K-1", values, {})


def put_contract(holder: str | None = "a", decided_by: str | None = None, **values: object) -> PutRecord:
    return PutRecord("v", "V-1", values, {} if holder is None else {"holder": (holder,)}, decided_by)


def contact(**personal: Any) -> EntityCreated:
    return EntityCreated(
        entity="contact",
        id="a",
        external_id="K-1",
        person="contact/a",
        attributes={"customer_number": "K-1"},
        personal=personal or {"last_name": "Sommer"},
        relations={},
    )


CONTRACT_CREATED = EntityCreated(
    entity="contract",
    id="v",
    external_id="V-1",
    person="contact/a",
    attributes={"number": "V-1", "status": "active", "division": "gas", "product": "Erdgas"},
    personal={"delivery_city": "Lindenau"},
    relations={"holder": ("a",)},
)


def changed(attributes: Any = None, personal: Any = None, **more: Any) -> EntityChanged:
    return EntityChanged(
        entity="contact",
        id="a",
        external_id="K-1",
        person="contact/a",
        attributes=attributes or {},
        personal=personal or {},
    ).model_copy(update=more)


class TestCreating:
    def test_personal_values_are_kept_apart(self) -> None:
        given(CONTACT).when(put_contact(last_name=" Sommer ", language="Deutsch", phone="")).then(
            EntityCreated(
                entity="contact",
                id="a",
                external_id="K-1",
                person="contact/a",
                attributes={"customer_number": "K-1", "language": "de"},
                personal={"last_name": "Sommer"},
                relations={},
            )
        )

    def test_the_personal_values_of_a_contract_belong_to_its_holder(self) -> None:
        given(CONTRACT).when(
            put_contract(status="active", division="gas", product="Erdgas", delivery_city="Lindenau")
        ).then(CONTRACT_CREATED)

    def test_what_is_required_must_be_there(self) -> None:
        given(CONTACT).when(put_contact(first_name="Anna")).rejects("invalid_missing", attribute="last_name")
        command = put_contract(holder=None, status="active", division="gas", product="Erdgas")
        given(CONTRACT).when(command).rejects("invalid_missing", attribute="holder")

    def test_what_the_schema_does_not_know_is_refused(self) -> None:
        given(CONTACT).when(put_contact(last_name="S", shoe_size=40)).rejects(
            "invalid_attribute", attribute="shoe_size"
        )
        command = replace(put_contact(last_name="S"), relations={"holder": ("a",)})
        given(CONTACT).when(command).rejects("invalid_attribute", attribute="holder")

    def test_one_holder_only(self) -> None:
        command = replace(put_contract(status="active"), relations={"holder": ("a", "b")})
        given(CONTRACT).when(command).rejects("invalid_reference", attribute="holder")

    def test_the_external_id_is_not_changed_by_a_value(self) -> None:
        given(CONTACT).when(put_contact(last_name="S", customer_number="K-2")).rejects("invalid_external_id")

    def test_again_after_deletion(self) -> None:
        deleted = EntityDeleted(entity="contact", id="a")
        given(CONTACT, contact(), deleted).when(put_contact(last_name="Sommer")).then(contact())


class TestChanging:
    def test_the_same_again_changes_nothing(self) -> None:
        given(CONTACT, contact()).when(put_contact(last_name="Sommer")).then()

    def test_only_what_is_different_is_told(self) -> None:
        given(CONTACT, contact()).when(put_contact(last_name="Sommer", language="en", city="Lindenau")).then(
            changed({"language": "en"}, {"city": "Lindenau"})
        )

    def test_an_empty_value_removes_and_a_missing_one_stays(self) -> None:
        story = given(CONTACT, contact(last_name="Sommer", phone="+49 30 23125 007"))
        story.when(put_contact(phone="")).then(changed(personal={"phone": None}))
        story.when(put_contact()).then()
        given(CONTACT, *story.events, changed(personal={"phone": None})).when(put_contact(phone="")).then()

    def test_what_is_required_cannot_be_removed(self) -> None:
        given(CONTACT, contact()).when(put_contact(last_name="")).rejects("invalid_missing", attribute="last_name")
        command = replace(put_contract(), relations={"holder": ()})
        given(CONTRACT, CONTRACT_CREATED).when(command).rejects("invalid_missing", attribute="holder")

    def test_another_holder_gets_all_personal_values_under_his_own_key(self) -> None:
        given(CONTRACT, CONTRACT_CREATED).when(put_contract(holder="b", delivery_street="Am Markt 1")).then(
            EntityRelated(entity="contract", id="v", relation="holder", to=("b",)),
            changed(
                personal={"delivery_city": "Lindenau", "delivery_street": "Am Markt 1"},
                entity="contract",
                id="v",
                external_id="V-1",
                person="contact/b",
            ),
        )

    def test_what_a_service_decides_is_taken_from_it_alone(self) -> None:
        given(CONTRACT, CONTRACT_CREATED).when(put_contract(status="terminated")).then()
        given(CONTRACT, CONTRACT_CREATED).when(put_contract(status="terminated", decided_by="billing")).then(
            changed({"status": "terminated"}, entity="contract", id="v", external_id="V-1")
        )


class TestErasedPersons:
    def test_nothing_personal_is_taken_up_again(self) -> None:
        erased = contact().model_copy(update={"personal": BOX})
        given(CONTACT, erased).when(put_contact(last_name="Sommer")).then()
        given(CONTACT, erased).when(put_contact(last_name="Sommer", language="en")).then(changed({"language": "en"}))

    def test_also_when_it_was_a_change_that_cannot_be_read(self) -> None:
        sealed = changed().model_copy(update={"personal": BOX})
        given(CONTACT, contact(), sealed).when(put_contact(last_name="Winter")).then()

    def test_a_contract_lives_on_with_another_holder(self) -> None:
        erased = CONTRACT_CREATED.model_copy(update={"personal": BOX})
        given(CONTRACT, erased).when(put_contract(holder="b", delivery_city="Lindenau")).then(
            EntityRelated(entity="contract", id="v", relation="holder", to=("b",)),
            changed(
                personal={"delivery_city": "Lindenau"}, entity="contract", id="v", external_id="V-1", person="contact/b"
            ),
        )


class TestDeleting:
    def test_deletes(self) -> None:
        given(CONTACT, contact()).when(DeleteRecord("a")).then(
            EntityDeleted(entity="contact", id="a", person="contact/a")
        )

    def test_what_does_not_exist(self) -> None:
        given(CONTACT).when(DeleteRecord("a")).rejects("record_not_found")


raw_texts = st.one_of(st.text(max_size=12), st.none(), st.integers(), st.sampled_from(["Sommer", "de", "gas|Strom"]))
raw_rows = st.dictionaries(st.sampled_from(list(SCHEMAS["contact"].attributes)), raw_texts, max_size=6)
commands = st.one_of(raw_rows.map(lambda values: PutRecord("a", "K-1", values, {})), st.just(DeleteRecord("a")))


@holds_for(st.lists(commands, max_size=8))
def test_any_commands_fold_and_a_put_repeated_changes_nothing(sequence: list[PutRecord | DeleteRecord]) -> None:
    state = CONTACT.initial
    history: list[Event] = []
    for command in sequence:
        try:
            events = CONTACT.decide(command, state)
        except Rejected:
            continue
        history += events
        state = CONTACT.fold(state, events)
        if isinstance(command, PutRecord):
            assert isinstance(state, Record)
            assert CONTACT.decide(command, state) == []
        else:
            assert isinstance(state, NoRecord)
    assert CONTACT.fold(CONTACT.initial, history) == state
