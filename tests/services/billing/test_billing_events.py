"""Billing events are recorded when they say something new, and tell what is overdue."""

from datetime import date

from hypothesis import given as sampled
from hypothesis import strategies as some

from contracts.base import Event
from contracts.billing import BillingEventRecorded
from contracts.erp import BillingEvent
from services.billing.billing_events.decider import DECIDER, RecordBillingEvent
from services.billing.contracts.state import SupplyContract
from tests.support import given

CONTRACT = SupplyContract(id="c1", number="4711", contact_id="p1")
TOLD = BillingEvent(
    contract="4711", external_id="B-1", kind="instalment", amount_cents=9_000, due_on=date(2026, 4, 1), status="open"
)


def recorded(told: BillingEvent, contract: SupplyContract = CONTRACT) -> BillingEventRecorded:
    return BillingEventRecorded(**contract.named(), **told.model_dump(exclude={"contract"}))


def test_a_billing_event_is_recorded() -> None:
    given(DECIDER).when(RecordBillingEvent(CONTRACT, TOLD)).then(recorded(TOLD))


def test_told_again_it_is_no_news() -> None:
    given(DECIDER, recorded(TOLD)).when(RecordBillingEvent(CONTRACT, TOLD)).then()


def test_another_holder_is_no_news_of_a_billing_event() -> None:
    moved = CONTRACT.model_copy(update={"contact_id": "p2"})
    given(DECIDER, recorded(TOLD)).when(RecordBillingEvent(moved, TOLD)).then()


def test_what_has_changed_is_recorded() -> None:
    paid = TOLD.model_copy(update={"status": "closed", "paid_on": date(2026, 4, 2)})
    given(DECIDER, recorded(TOLD)).when(RecordBillingEvent(CONTRACT, paid)).then(recorded(paid))


told_events = some.builds(
    BillingEvent,
    contract=some.just("4711"),
    external_id=some.just("B-1"),
    kind=some.sampled_from(["instalment", "payment", "invoice"]),
    direction=some.sampled_from(["debit", "credit"]),
    amount_cents=some.integers(0, 3),
    currency=some.just("EUR"),
    due_on=some.dates(date(2026, 1, 1), date(2026, 1, 3)),
    paid_on=some.none(),
    status=some.sampled_from(["open", "closed"]),
)


@sampled(some.lists(told_events, max_size=20))
def test_a_billing_event_is_what_was_told_last(sequence: list[BillingEvent]) -> None:
    state = DECIDER.initial
    events: list[Event] = []
    for told in sequence:
        decided = DECIDER.decide(RecordBillingEvent(CONTRACT, told), state)
        events.extend(decided)
        state = DECIDER.fold(state, decided)
        assert not DECIDER.decide(RecordBillingEvent(CONTRACT, told), state)
    assert state == DECIDER.fold(DECIDER.initial, events)
    assert state == (recorded(sequence[-1]) if sequence else None)
