"""The rules of records, told as given, when, then."""

from dataclasses import replace
from typing import Any

from hypothesis import given as holds_for
from hypothesis import strategies as st

from chassis.errors import Rejected
from contracts.base import Event, Sealed
from contracts.entities import (
    ContactMade,
    ContactRefused,
    EntityChanged,
    EntityCreated,
    EntityDeleted,
    EntityRelated,
    MappingApplied,
    MappingRefused,
)
from contracts.ids import record_id
from services.entities.access import Access, Owner
from services.entities.app import SCHEMAS
from services.entities.records.decider import (
    ApplyMapping,
    ChangeRecord,
    DeleteRecord,
    MakeContact,
    PutRecord,
    decider_of,
)
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


ANNA = Owner("a")
SEES = frozenset({"phone", "email"})


def change(access: Access | None = None, **values: object) -> ChangeRecord:
    return ChangeRecord("a", values, access=access)


class TestPortalUsers:
    story = given(CONTACT, contact(last_name="Sommer", phone="+49 30 23125 007"))
    access = Access(ANNA, SEES, frozenset({"phone", "customer_number"}))

    def test_change_what_is_permitted(self) -> None:
        command = change(self.access, phone="+49 30 23125 008")
        self.story.when(command).then(changed(personal={"phone": "+49 30 23125 008"}))

    def test_nothing_else_and_then_nothing_at_all(self) -> None:
        command = change(self.access, phone="+49 30 23125 008", last_name="Winter")
        self.story.when(command).rejects("not_permitted", attribute="last_name")
        self.story.when(change(self.access, shoe_size="40")).rejects("invalid_attribute", attribute="shoe_size")
        self.story.when(change(self.access, phone="call me")).rejects("invalid_phone", attribute="phone")
        self.story.when(change(self.access, customer_number="K-2")).rejects("invalid_external_id")

    def test_only_of_what_is_theirs(self) -> None:
        foreign = replace(self.access, owner=Owner("b"))
        self.story.when(change(foreign, phone="+49 30 1")).rejects("record_not_found")
        self.story.when(change(replace(self.access, owner=Owner(None)), phone="+49 30 1")).rejects("record_not_found")
        given(CONTACT).when(change(self.access, phone="+49 30 1")).rejects("record_not_found")

    def test_a_contract_is_its_holders_and_only_a_service_decides_on_its_status(self) -> None:
        access = Access(ANNA, frozenset(), frozenset({"product", "status", "holder"}))
        story = given(CONTRACT, CONTRACT_CREATED)
        mine = ChangeRecord("v", {"product": "Biogas"}, access=access)
        story.when(mine).then(changed({"product": "Biogas"}, entity="contract", id="v", external_id="V-1"))
        story.when(replace(mine, access=replace(access, owner=Owner("b")))).rejects("record_not_found")
        story.when(replace(mine, access=replace(access, owner=Owner("a", "installer")))).rejects("record_not_found")
        story.when(replace(mine, values={"status": "draft"})).rejects("not_permitted", attribute="status")


class TestOtherServices:
    def test_billing_decides_on_status_and_end(self) -> None:
        values = {"status": "in_cancellation", "ends_on": "2026-12-31"}
        mirrored = ChangeRecord("v", values, decided_by="billing")
        given(CONTRACT, CONTRACT_CREATED).when(mirrored).then(
            changed(values, entity="contract", id="v", external_id="V-1")
        )
        by_others = replace(mirrored, decided_by=None)
        given(CONTRACT, CONTRACT_CREATED).when(by_others).rejects("decided_elsewhere", service="billing")

    def test_a_contact_of_a_portal_user(self) -> None:
        id_ = record_id("contact", "K-9")
        command = MakeContact("u", "customers", id_, {"customer_number": "K-9", "last_name": "Berg"})
        answer = {"user_id": "u", "portal_id": "customers", "contact_id": id_}
        created = contact(last_name="Berg").model_copy(
            update={
                "id": id_,
                "external_id": "K-9",
                "person": f"contact/{id_}",
                "attributes": {"customer_number": "K-9"},
            }
        )

        def not_made(code: str, attribute: str | None = None, **other: str) -> ContactRefused:
            return ContactRefused.model_validate({**answer, **other, "code": code, "attribute": attribute})

        made = ContactMade.model_validate(answer)
        given(CONTACT).when(command).then(created, made)
        given(CONTACT, created, made).when(command).then(not_made("contact_exists"))
        other = not_made("invalid_record_id", "customer_number", contact_id="other")
        given(CONTACT).when(replace(command, id="other")).then(other)
        nameless = replace(command, values={"customer_number": "K-9"})
        given(CONTACT).when(nameless).then(not_made("invalid_missing", "last_name"))
        given(CONTACT).when(replace(command, values=None)).then(not_made("person_erased"))


APPLIED = MappingApplied(submission_id="s-1", effect=0, entity="contract", id="v")


def mapping(**values: object) -> ApplyMapping:
    return ApplyMapping("s-1", 0, "v", values)


def refused(code: str, attribute: str | None = None) -> MappingRefused:
    return MappingRefused(submission_id="s-1", effect=0, entity="contract", id="v", code=code, attribute=attribute)


class TestMappings:
    story = given(CONTRACT, CONTRACT_CREATED)

    def test_answers_become_values(self) -> None:
        told = changed(personal={"cancel_reason": "Umzug"}, entity="contract", id="v", external_id="V-1")
        self.story.when(mapping(cancel_reason="Umzug")).then(told, APPLIED)
        same = given(CONTRACT, CONTRACT_CREATED, told, APPLIED)
        same.when(mapping(cancel_reason="Umzug")).then()
        same.when(replace(mapping(cancel_reason="Umzug"), effect=1)).then(APPLIED.model_copy(update={"effect": 1}))

    def test_what_does_not_fit_is_answered_and_changes_nothing(self) -> None:
        story = self.story
        story.when(mapping(cancel_reason="x", shoe_size=4)).then(refused("invalid_attribute", "shoe_size"))
        story.when(mapping(product="")).then(refused("invalid_missing", "product"))
        story.when(mapping(status="terminated")).then(refused("decided_elsewhere", "status"))
        story.when(mapping(number="V-2")).then(refused("invalid_external_id", "number"))
        story.when(replace(mapping(), erased=True)).then(refused("person_erased"))
        again = given(CONTRACT, CONTRACT_CREATED, refused("invalid_missing", "product"))
        again.when(mapping(product="")).then()

    def test_only_records_of_the_sender(self) -> None:
        self.story.when(replace(mapping(), owner=Owner("a"))).then(APPLIED)
        for owner in (Owner("b"), Owner(None)):
            self.story.when(replace(mapping(), owner=owner)).then(refused("record_not_found"))
        given(CONTRACT).when(mapping()).then(refused("record_not_found"))

    def test_a_new_record_with_its_relations(self) -> None:
        values = {"status": "draft", "division": "gas", "product": "Erdgas", "delivery_city": "Lindenau"}
        new = replace(mapping(**values), create=True, relations={"holder": ("a",)})
        plain = {name: value for name, value in values.items() if name != "delivery_city"}
        created = CONTRACT_CREATED.model_copy(update={"external_id": None, "attributes": plain})
        given(CONTRACT).when(new).then(created, APPLIED)
        given(CONTRACT, created, APPLIED).when(new).then()
        given(CONTRACT, created).when(new).then(refused("record_exists"))
        given(CONTRACT).when(replace(new, missing="holder")).then(refused("invalid_reference", "holder"))
        given(CONTRACT).when(replace(new, relations={})).then(refused("invalid_missing", "holder"))

    def test_nothing_personal_is_taken_up_after_an_erasure(self) -> None:
        erased = CONTRACT_CREATED.model_copy(update={"personal": BOX})
        given(CONTRACT, erased).when(mapping(cancel_reason="Umzug")).then(APPLIED)
        access = Access(ANNA, SEES, frozenset({"phone"}))
        gone = contact().model_copy(update={"personal": BOX})
        given(CONTACT, gone).when(change(access, phone="+49 30 23125 008")).then()

    def test_a_deleted_record_remembers_what_was_answered(self) -> None:
        deleted = EntityDeleted(entity="contract", id="v", person="contact/a")
        given(CONTRACT, CONTRACT_CREATED, APPLIED, deleted).when(mapping(product="x")).then()
