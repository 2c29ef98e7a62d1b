"""What billing knows of contracts, portals and debts, folded from events; delivered twice it is the same."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import given as sampled
from hypothesis import strategies as some

from chassis.views import View
from contracts.base import Event
from contracts.billing import BillingEventRecorded
from contracts.common import Text
from contracts.entities import EntityChanged, EntityCreated, EntityDeleted, EntityRelated
from contracts.envelope import Envelope, Metadata, Record
from contracts.ids import Position
from contracts.portal import InstalmentSettings, PortalConfigured
from services.billing.billing_events.views import OWED
from services.billing.contracts.state import SupplyContract
from services.billing.contracts.views import CONTRACTS, PORTALS

NOW = datetime(2026, 3, 10, tzinfo=UTC)


def fold(view: View[Any], *events: Event) -> dict[str, Any]:
    return view.fold({}, [envelope(event) for event in events])


def envelope(event: Event) -> Envelope:
    record = Record(Position(event.service, 0, 1), "s/1", 1, event.type, NOW, Metadata(), b"")
    return Envelope(record, event)


def created(entity: str = "contract", **other: object) -> EntityCreated:
    plain = {
        "entity": entity,
        "id": "c1",
        "external_id": "4711",
        "person": None,
        "attributes": {"division": "gas"},
        "personal": {},
        "relations": {"holder": ("p1",)},
    }
    return EntityCreated.model_validate({**plain, **other})


def changed(external_id: str | None = "4711", **attributes: object) -> EntityChanged:
    return EntityChanged(
        entity="contract", id="c1", external_id=external_id, person=None, attributes=attributes, personal={}
    )


CONTRACT = SupplyContract(id="c1", number="4711", contact_id="p1", division="gas")


def test_a_contract() -> None:
    assert fold(CONTRACTS, created()) == {"c1": CONTRACT}
    assert fold(CONTRACTS, created("contact")) == {}
    other = fold(CONTRACTS, created(), changed(division="electricity", product="x"))
    assert other == {"c1": CONTRACT.model_copy(update={"division": "electricity"})}
    assert fold(CONTRACTS, created(), changed(product="x")) == {"c1": CONTRACT}
    assert fold(CONTRACTS, created(external_id=None), changed("4712"))["c1"] == CONTRACT.model_copy(
        update={"number": "4712"}
    )


def test_the_holder_of_a_contract() -> None:
    moved = EntityRelated(entity="contract", id="c1", relation="holder", to=("p2",))
    assert fold(CONTRACTS, created(), moved) == {"c1": CONTRACT.model_copy(update={"contact_id": "p2"})}
    nobody = moved.model_copy(update={"to": ()})
    assert fold(CONTRACTS, created(), nobody) == {"c1": CONTRACT.model_copy(update={"contact_id": None})}
    meters = moved.model_copy(update={"relation": "meters"})
    assert fold(CONTRACTS, created(), meters) == {"c1": CONTRACT}


def test_a_contract_that_is_gone() -> None:
    assert fold(CONTRACTS, created(), EntityDeleted(entity="contract", id="c1")) == {"c1": None}
    assert fold(CONTRACTS, changed(division="gas")) == {"c1": None}


def test_a_portal_is_what_it_was_configured_to_be_last() -> None:
    first = PortalConfigured(
        portal_id="customers",
        audience="customer",
        name=Text(de="P", en="P"),
        url="https://example.org",
        instalments=InstalmentSettings(),
    )
    limits = first.instalments.model_copy(update={"default": first.instalments.default.model_copy(update={})})
    (document,) = fold(PORTALS, first, first.model_copy(update={"instalments": limits})).values()
    assert document is not None
    assert document.model_dump(include={"portal_id", "audience"}) == {"portal_id": "customers", "audience": "customer"}


bills = some.builds(
    BillingEventRecorded,
    contract_id=some.sampled_from(["c1", "c2"]),
    contract_number=some.just("4711"),
    contact_id=some.none(),
    external_id=some.sampled_from(["B-1", "B-2"]),
    kind=some.just("instalment"),
    direction=some.sampled_from(["debit", "credit"]),
    amount_cents=some.integers(0, 100),
    currency=some.just("EUR"),
    due_on=some.dates(date(2026, 1, 1), date(2026, 3, 1)),
    paid_on=some.none(),
    status=some.sampled_from(["open", "closed"]),
)
entity_events = some.sampled_from(
    [
        created(),
        changed(division="electricity"),
        changed(product="x"),
        EntityRelated(entity="contract", id="c1", relation="holder", to=("p2",)),
        EntityDeleted(entity="contract", id="c1"),
    ]
)


@sampled(some.lists(bills), some.lists(entity_events), some.integers(0, 30))
def test_a_batch_boundary_or_a_second_delivery_changes_no_view(
    told: Sequence[Event], entities: Sequence[Event], boundary: int
) -> None:
    cases: list[tuple[View[Any], Sequence[Event]]] = [(OWED, told), (CONTRACTS, entities)]
    for view, events in cases:
        whole = fold(view, *events)
        first = fold(view, *events[:boundary])
        rest = view.fold(first, [envelope(event) for event in events[boundary:]])
        assert {**first, **rest} == whole
        assert fold(view, *[event for event in events for _ in range(2)]) == whole
