"""What other services' events do to records: through Kafka, into the log, and seen through HTTP."""

from datetime import date
from typing import Any

import pytest

from chassis.auth import Principal
from chassis.testing import RunningService, eventually
from contracts.base import Event
from contracts.billing import CancellationRequested, CancellationWithdrawn, ContractTerminated
from contracts.entities import EntityChanged, EntityCreated, EntityRelated, MappingApplied, MappingRefused
from contracts.identity import ContactWanted
from contracts.ids import record_id
from contracts.journeys import JourneySubmitted, MapEffect, RecordRef
from contracts.processes import ActionRequested
from tests.services.entities.conftest import Others, headers_of

STAFF = headers_of(Principal("staff", "staff/7"))
ANNA, BEN = record_id("contact", "R-1"), record_id("contact", "R-2")


class World:
    def __init__(self, entities: RunningService, others: Others) -> None:
        self.entities = entities
        self.say = others.say
        self.submissions = 0

    async def put(self, path: str, **values: Any) -> str:
        answer = await self.entities.client.put(f"/records/{path}", json=values, headers=STAFF)
        assert answer.is_success, answer.text
        headers = {**STAFF, "Portico-Position": answer.headers["Portico-Position"]}
        await self.entities.client.get(f"/records/{path}", headers=headers)
        return str(answer.json()["id"])

    async def contract(self, number: str, holder: str) -> str:
        values = {"status": "active", "division": "gas", "product": "Erdgas", "holder": holder}
        return await self.put(f"contract/{number}", **values)

    async def events(self, stream: str, count: int) -> list[Any]:
        async def there() -> list[Event]:
            found = [each.event for each in await self.entities.service.streams.history(stream)]
            return found if len(found) >= count else []

        found = await eventually(there)
        assert len(found) == count
        return found

    async def submit(
        self, *effects: MapEffect, context: RecordRef | None = None, actor: str | None = None, **more: Any
    ) -> str:
        """Anna submits what becomes of these effects, or somebody as her; returns the submission's id."""
        self.submissions += 1
        submitted = JourneySubmitted(
            submission_id=f"s-{id(self)}-{self.submissions}",
            reference="7K3F-9QXM",
            journey_id="cancellation",
            journey_version=1,
            portal_id="customers",
            language="de",
            user_id="u-1",
            contact_id=ANNA,
            context=context,
            action="cancel",
            task=None,
            person=f"contact/{ANNA}",
            answers={},
            mapped={},
            email=None,
            files=(),
            effects=effects,
        ).model_copy(update=more)
        await self.say(f"submission/{submitted.submission_id}", submitted, actor=actor)
        return submitted.submission_id


@pytest.fixture(scope="module")
async def world(entities: RunningService, others: Others) -> World:
    world = World(entities, others)
    await world.put("contact/R-1", last_name="Sommer")
    await world.put("contact/R-2", last_name="Krüger")
    return world


def contract_ref(id_: str) -> RecordRef:
    return RecordRef(entity="contract", id=id_)


async def test_billing_decides_on_the_status_of_a_contract(world: World) -> None:
    id_ = await world.contract("RV-1", "R-1")
    named = {"contract_id": id_, "contract_number": "RV-1", "contact_id": ANNA}
    requested = CancellationRequested(
        **named,
        cancellation_id="c-1",
        requested_on=date(2026, 3, 10),
        ends_on=date(2026, 4, 10),
        basis="open_ended",
        notice="P1M",
        reason=None,
        submission_id=None,
        effect=None,
        portal_id=None,
    )
    withdrawn = CancellationWithdrawn(**named, cancellation_id="c-1", reason="Stays", portal_id=None)
    terminated = ContractTerminated(**named, cancellation_id="c-2", ends_on=date(2026, 4, 10))
    await world.say(f"cancellation/{id_}", requested, withdrawn, requested, terminated)
    _, *changes = await world.events(f"contract/{id_}", 5)
    assert [change.attributes for change in changes] == [
        {"status": "in_cancellation", "ends_on": "2026-04-10"},
        {"status": "active", "ends_on": None},
        {"status": "in_cancellation", "ends_on": "2026-04-10"},
        {"status": "terminated"},
    ]
    *_, last = await world.entities.service.streams.history(f"contract/{id_}")
    assert last.metadata.causation_id.startswith("billing/")


async def test_answers_come_into_the_record_that_a_journey_began_from(world: World) -> None:
    id_ = await world.contract("RV-2", "R-1")
    effect = MapEffect(record=contract_ref(id_), attributes=("cancel_reason", "product"))
    values = {"0": {"cancel_reason": "Ich ziehe um", "product": "Biogas", "status": "draft"}}
    submission = await world.submit(effect, context=contract_ref(id_), mapped=values)
    _, changed, applied = await world.events(f"contract/{id_}", 3)
    assert isinstance(changed, EntityChanged)
    assert (changed.attributes, changed.personal) == ({"product": "Biogas"}, {"cancel_reason": "Ich ziehe um"})
    assert applied == MappingApplied(submission_id=submission, effect=0, entity="contract", id=id_)
    read = await world.entities.client.get(
        f"/records/contract/{id_}", headers={**STAFF, "Portico-Position": await _position(world, f"contract/{id_}")}
    )
    assert (read.headers["ETag"], read.json()["version"]) == ('"3"', 3)


async def _position(world: World, stream: str) -> str:
    return str((await world.entities.service.streams.history(stream))[-1].position)


async def test_a_mapping_that_does_not_fit_names_the_attribute(world: World) -> None:
    mine, foreign = await world.contract("RV-3", "R-1"), await world.contract("RV-4", "R-2")
    effects = [
        MapEffect(record=contract_ref(mine), attributes=("ends_on", "price_change_on")),
        MapEffect(record=contract_ref(mine), attributes=("price_change_on",)),
        MapEffect(record=contract_ref(foreign), attributes=("product",)),
        MapEffect(record=RecordRef(entity="lamp", id="1"), attributes=("power",)),
        MapEffect(record=RecordRef(entity="contact", id=ANNA), attributes=("phone",)),
    ]
    mapped = {
        "0": {"ends_on": "2027-01-01", "price_change_on": "2027-01-01"},
        "1": {"price_change_on": "soon"},
        "2": {"product": "Mine"},
        "4": {"phone": "+49 3573 4711"},
    }
    submission = await world.submit(*effects, mapped=mapped)
    _, first, second = await world.events(f"contract/{mine}", 3)
    _, third = await world.events(f"contract/{foreign}", 2)
    (fourth,) = await world.events(f"mapping/{submission}", 1)
    told = [(each.effect, each.code, each.attribute) for each in (first, second, third, fourth)]
    assert told == [
        (0, "decided_elsewhere", "ends_on"),
        (1, "invalid_date", "price_change_on"),
        (2, "record_not_found", None),
        (3, "entity_unknown", None),
    ]
    assert all(isinstance(each, MappingRefused) for each in (first, second, third, fourth))
    _, changed, applied = await world.events(f"contact/{ANNA}", 3)
    assert (changed.personal, applied.effect) == ({"phone": "+49 3573 4711"}, 4)


async def test_an_email_address_is_not_changed_by_whoever_acts_as_the_customer(world: World) -> None:
    cleo = await world.put("contact/R-8", last_name="Cleo", email="cleo@example.org")
    effect = MapEffect(record=RecordRef(entity="contact", id=cleo), attributes=("email",))
    mapped = {"0": {"email": "new@example.org"}}
    await world.submit(effect, contact_id=cleo, mapped=mapped, actor="staff/7")
    *_, refused = await world.events(f"contact/{cleo}", 2)
    assert isinstance(refused, MappingRefused)
    assert (refused.code, refused.attribute) == ("forbidden_while_acting", "email")
    await world.submit(effect, contact_id=cleo, mapped=mapped, actor="user/u-1")
    *_, changed, _ = await world.events(f"contact/{cleo}", 4)
    assert changed.personal == {"email": "new@example.org"}


async def test_a_context_leads_to_what_may_be_written(world: World) -> None:
    id_ = await world.contract("RV-5", "R-2")
    effect = MapEffect(record=RecordRef(entity="contact", id=BEN), attributes=("city",))
    by_staff = {"contact_id": None, "person": "submission/1"}
    await world.submit(effect, context=contract_ref(id_), mapped={"0": {"city": "Ruhland"}}, **by_staff)
    _, changed, _ = await world.events(f"contact/{BEN}", 3)
    assert changed.personal == {"city": "Ruhland"}


async def test_new_records_with_relations_to_each_other(world: World) -> None:
    values = {"0": {"last_name": "Berg"}, "1": {"status": "draft", "division": "gas", "product": "Erdgas"}}
    contact, contract = "new-contact", "new-contract"
    submission = await world.submit(
        MapEffect(record=RecordRef(entity="contact", id=contact), attributes=("last_name",), create=True),
        MapEffect(
            record=contract_ref(contract), attributes=tuple(values["1"]), create=True, relations={"holder": (contact,)}
        ),
        MapEffect(
            record=contract_ref("lost"), attributes=tuple(values["1"]), create=True, relations={"holder": ("nobody",)}
        ),
        mapped={**values, "2": values["1"]},
        contact_id=None,
        person="submission/2",
    )
    created, applied = await world.events(f"contact/{contact}", 2)
    assert isinstance(created, EntityCreated)
    assert (created.personal, created.external_id) == ({"last_name": "Berg"}, None)
    assert applied.submission_id == submission
    (made, _) = await world.events(f"contract/{contract}", 2)
    assert made.relations == {"holder": (contact,)}
    (refused,) = await world.events("contract/lost", 1)
    assert (refused.code, refused.attribute) == ("invalid_reference", "holder")
    body = {"to": ["lost"]}
    path = f"/records/contract/{contract}/relations/holder"
    assert (await world.entities.client.put(path, json=body, headers=STAFF)).json()["code"] == "unknown_record"


async def test_an_automation_sets_attributes_and_decides_on_nothing_else(world: World) -> None:
    id_ = await world.contract("RV-6", "R-1")

    def action(number: int, **values: Any) -> ActionRequested:
        return ActionRequested(
            instance_id="i-1",
            process_id="cancellation",
            step_id="check",
            record=contract_ref(id_),
            action=number,
            kind="set",
            parameters={"set": values},
            contact_id=ANNA,
            portal_id=None,
        )

    await world.say("process/i-1", action(0, status="terminated"), action(1, product="Biogas", notice="P2W"))
    _, changed = await world.events(f"contract/{id_}", 2)
    assert changed.attributes == {"product": "Biogas", "notice": "P2W"}


async def test_identity_wants_a_contact(world: World) -> None:
    id_ = record_id("contact", "R-9")
    wanted = ContactWanted(
        user_id="u-9",
        portal_id="customers",
        contact_id=id_,
        customer_number="R-9",
        person=f"contact/{id_}",
        values={"last_name": "Neu", "email": "cleo@example.org"},
    )
    await world.say("user/u-9", wanted, wanted)
    created, made, refused = await world.events(f"contact/{id_}", 3)
    assert (made.user_id, made.contact_id) == ("u-9", id_)
    assert (refused.user_id, refused.code) == ("u-9", "contact_exists")
    assert (created.id, created.external_id) == (id_, "R-9")
    assert created.personal == {"last_name": "Neu", "email": "cleo@example.org"}
    assert await world.put("contact/R-9", last_name="Neu") == id_
    await world.put("contact/R-9", language="de")
    contract = await world.contract("RV-9", "R-9")
    assert contract == record_id("contract", "RV-9")


async def test_relations_are_told_as_events(world: World) -> None:
    id_ = await world.contract("RV-7", "R-1")
    path = f"/records/contract/{id_}/relations/holder"
    await world.entities.client.put(path, json={"to": [BEN]}, headers=STAFF)
    _, related, changed = await world.events(f"contract/{id_}", 3)
    assert related == EntityRelated(entity="contract", id=id_, relation="holder", to=(BEN,))
    assert changed.person == f"contact/{BEN}"
