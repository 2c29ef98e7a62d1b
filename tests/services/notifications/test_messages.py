"""The rules of messages: which event makes which, what may be said about one, and when it is tried again."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given as any_of
from hypothesis import strategies as st

from contracts.base import Event
from contracts.billing import (
    CancellationConfirmed,
    InstalmentChanged,
    InstalmentConfirmed,
    InstalmentPlanSet,
    InstalmentRefused,
)
from contracts.common import Instalment, Text
from contracts.envelope import Envelope, Metadata, Record
from contracts.ids import Position
from contracts.journeys import RecordRef
from contracts.notifications import MessageFailed, MessageResendRequested, MessageSent, NoticePosted
from contracts.processes import (
    ActionRequested,
    Assignee,
    Audiences,
    GroupAssignee,
    StaffAssignee,
    StepOverdue,
    TaskAssigned,
)
from services.notifications.app import TEXTS
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
from services.notifications.notices import reactions as notices
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


def confirmed(cancellation_id: str, contact_id: str) -> CancellationConfirmed:
    return CancellationConfirmed(
        contract_id="c",
        contract_number="V-1",
        contact_id=contact_id,
        cancellation_id=cancellation_id,
        ends_on=date(2026, 12, 31),
        portal_id=None,
    )


def test_each_cancellation_is_confirmed_to_each_recipient_once() -> None:
    """A second cancellation to the same day, and another holder, have a right to a mail of their own."""
    events = [confirmed("1", "a"), confirmed("1", "a"), confirmed("2", "a"), confirmed("1", "b")]
    first, again, second, other = (made_of(envelope(event, place)).id for place, event in enumerate(events, 1))
    assert first == again
    assert len({first, second, other}) == 3


STEP = {
    "instance_id": "i",
    "process_id": "p",
    "record": RecordRef(entity="contract", id="c"),
    "step_id": "s",
    "contact_id": "a",
    "portal_id": None,
}


def action(template: str, to: str) -> ActionRequested:
    return ActionRequested(**STEP, action=0, kind="mail", parameters={"template": template, "to": to})


def test_an_automation_does_not_repeat_the_confirmation_and_invents_no_installer() -> None:
    assert list(drafts(envelope(action("cancellation_confirmed", "customer")))) == []
    assert list(drafts(envelope(action("task_done", "installer")))) == []
    known = action("cancellation_confirmed", "installer").model_copy(update={"installer_id": "b"})
    assert [made_of(envelope(each)).contact_id for each in (action("task_done", "customer"), known)] == ["a", "b"]


def task(assignee: Assignee) -> TaskAssigned:
    title = Text(de="Prüfen", en="Check")
    facts = {**STEP, "title": title, "info": Audiences(), "journey": None, "done_on": "confirm"}
    return TaskAssigned(**facts, assignee=assignee, due_on=date(2026, 12, 5))


def overdue(assignee: Assignee | None) -> StepOverdue:
    facts = {**STEP, "title": Text(de="Prüfen", en="Check"), "group": "sales"}
    return StepOverdue(**facts, assignee=assignee, due_on=date(2026, 12, 5))


def test_one_of_the_staff_is_written_to_about_his_task() -> None:
    for event in (task(StaffAssignee(staff_id="otto")), overdue(StaffAssignee(staff_id="otto"))):
        (draft,) = drafts(envelope(event))
        assert (draft.to, draft.to_id, draft.link, draft.audience) == ("staff", "otto", "portal", None)
        assert "Prüfen" in render(draft.template, sample_frame("de"), draft.variables).text
    assert list(drafts(envelope(task(GroupAssignee(group="sales"))))) == []


def posted(event: Event) -> NoticePosted:
    (do,) = notices.reaction(TEXTS).react(envelope(event))
    notice = do.command.notice
    assert isinstance(notice, NoticePosted)
    return notice


def test_a_notice_is_for_whoever_is_to_do_the_task() -> None:
    otto, office = StaffAssignee(staff_id="otto"), GroupAssignee(group="back_office")
    readers = [posted(event) for event in (task(otto), overdue(otto), task(office), overdue(office), overdue(None))]
    assert [(each.staff_id, each.group, each.contact_id) for each in readers] == [
        ("otto", None, None),
        ("otto", None, None),
        (None, "back_office", None),
        (None, "back_office", None),
        (None, "sales", None),
    ]


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
