"""The rules of messages: which event makes which, what may be said about one, and when it is tried again."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given as any_of
from hypothesis import strategies as st

from contracts.base import Event
from contracts.billing import InstalmentChanged, InstalmentConfirmed, InstalmentPlanSet, InstalmentRefused
from contracts.common import Instalment
from contracts.envelope import Envelope, Metadata, Record
from contracts.ids import Position
from contracts.notifications import MessageFailed, MessageResendRequested, MessageSent
from services.notifications.messages.decider import MESSAGE, Resend, Settle
from services.notifications.messages.drafts import INSTALMENTS, drafts
from services.notifications.messages.queue import NewMessage
from services.notifications.messages.reactions import message
from services.notifications.messages.retry import (
    FIRST_DELAYS,
    LONGEST_DELAY,
    MAXIMUM_ATTEMPTS,
    SPREAD,
    next_attempt,
)
from services.notifications.templates.catalog import LIFETIME
from services.notifications.templates.render import render, sample_frame
from tests.support import given

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OF_CONTRACT = {"contract_id": "c", "contract_number": "V-1", "contact_id": "a", "change_id": "x", "currency": "EUR"}
CHANGED = InstalmentChanged(
    **OF_CONTRACT,
    from_cents=9200,
    amount_cents=7800,
    effective_from=date(2027, 1, 1),
    changed_on=date(2026, 11, 21),
    portal_id="customers",
)
CONFIRMED = InstalmentConfirmed(
    **OF_CONTRACT,
    from_cents=9200,
    amount_cents=7800,
    effective_from=date(2027, 1, 1),
    schedule=(Instalment(due_on=date(2027, 1, 1), amount_cents=7800),),
)
REFUSED = InstalmentRefused(**OF_CONTRACT, amount_cents=7800, current_cents=9200, reason="Zu niedrig.")
FACTS = {
    "message_id": "m",
    "cause": "billing/0:1",
    "template": "instalment_requested",
    "language": "de",
    "contact_id": "a",
    "person": "contact/a",
    "recipient": "anna@example.org",
    "subject": "Hallo",
    "attempts": 1,
}
SENT = MessageSent.model_validate(FACTS)
FAILED = MessageFailed.model_validate({**FACTS, "reason": "smtp_refused 550 5.1.1"})
WANTED = MessageResendRequested(message_id="m")


def made_of(of: Envelope) -> NewMessage:
    """The only message of an event."""
    (draft,) = drafts(of)
    return message(of, draft)


def envelope(event: Event, sequence: int = 7) -> Envelope:
    metadata = Metadata(correlation_id="order-66", actor="customer-1", traceparent="00-1-2-01")
    record = Record(Position("billing", 2, sequence), "instalments/c", 1, event.type, NOW, metadata, b"{}")
    return Envelope(record, event)


def test_each_event_gives_its_template_exactly_the_values_that_it_needs() -> None:
    drafted = [found for event in (CHANGED, CONFIRMED, REFUSED) for found in drafts(envelope(event))]
    assert [found.template for found in drafted] == list(INSTALMENTS.values())
    for found in drafted:
        assert "78,00\xa0€" in render(found.template, sample_frame("de"), found.variables).text
    assert [found.portal_id for found in drafted] == ["customers", None, None]


def test_other_events_make_no_message() -> None:
    plan = InstalmentPlanSet(
        contract_id="c",
        contract_number="V-1",
        contact_id="a",
        amount_cents=1,
        currency="EUR",
        valid_from=NOW.date(),
        schedule=(),
    )
    assert list(drafts(envelope(plan))) == []


def test_the_same_event_makes_the_same_message_and_another_event_another() -> None:
    first, again, other = made_of(envelope(CHANGED)), made_of(envelope(CHANGED)), made_of(envelope(CHANGED, 8))
    assert first == again
    assert first.id != other.id
    assert first.expires_at == NOW + LIFETIME


def test_a_message_remembers_its_cause_and_correlation_but_nothing_personal() -> None:
    made = made_of(envelope(CHANGED))
    assert (made.cause, made.metadata.causation_id, made.metadata.correlation_id) == (
        "billing/2:7",
        "billing/2:7",
        "order-66",
    )
    assert set(made.variables) == {"from_cents", "amount_cents", "currency", "effective_from", "changed_on"}


def test_an_outcome_is_recorded_as_it_is() -> None:
    given(MESSAGE).when(Settle(SENT)).then(SENT)
    given(MESSAGE, SENT, WANTED).when(Settle(FAILED)).then(FAILED)


def test_a_message_can_be_wanted_once_more_however_it_ended_or_while_it_waits() -> None:
    for history in ((), (SENT,), (FAILED,), (SENT, WANTED, SENT)):
        given(MESSAGE, *history).when(Resend("m")).then(WANTED)


def test_wanting_it_twice_is_wanting_it_once() -> None:
    given(MESSAGE, SENT, WANTED).when(Resend("m")).then()
    given(MESSAGE, WANTED).when(Resend("m")).then()


def test_the_first_attempts_come_quickly_then_ever_more_slowly() -> None:
    delays = [
        at - NOW
        for attempts in range(1, MAXIMUM_ATTEMPTS)
        if (at := next_attempt(attempts, NOW, NOW + timedelta(days=9), 0.5))
    ]
    assert tuple(delays[:4]) == FIRST_DELAYS
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_DELAY
    assert LIFETIME * 0.8 < sum(delays, timedelta()) < LIFETIME * 1.25


@any_of(st.integers(1, 100), st.floats(0, 1), st.timedeltas(timedelta(), timedelta(days=5)))
def test_attempts_and_time_are_bounded(attempts: int, jitter: float, left: timedelta) -> None:
    again = next_attempt(attempts, NOW, NOW + left, jitter)
    assert again is None or (NOW < again <= NOW + min(left, LONGEST_DELAY * (1 + SPREAD)))
    if attempts >= MAXIMUM_ATTEMPTS:
        assert again is None


def test_an_ambiguous_outcome_waits_longer() -> None:
    again = next_attempt(1, NOW, NOW + LIFETIME, 0.5, not_before=timedelta(minutes=5))
    assert again == NOW + timedelta(minutes=5)
