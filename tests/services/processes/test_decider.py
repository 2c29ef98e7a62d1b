"""Running processes: the rules as they are told, and what holds whatever staff and customers do."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from chassis.errors import Rejected
from contracts.base import Event
from contracts.processes import (
    ActionRequested,
    ContactAssignee,
    GroupAssignee,
    ProcessCancelled,
    ProcessCompleted,
    ProcessNotStarted,
    ProcessStarted,
    StaffAssignee,
    StepActivated,
    StepDone,
    StepOverdue,
    StepReopened,
    StepSkipped,
    TaskAssigned,
    TaskDone,
    TaskSubmitted,
)
from services.processes.instances.decider import (
    INSTANCE,
    MAXIMUM_DEPTH,
    Assign,
    Cancel,
    Command,
    Complete,
    Remind,
    Reopen,
    ReportDone,
    Skip,
    Submit,
)
from services.processes.instances.state import Instance, State
from tests.services.processes.plans import DOCUMENT, RECORD, blueprint, situation, start
from tests.support import given

ANNA = ContactAssignee(role="customer", contact_id="anna")
OF: dict[str, Any] = {"instance_id": "i-1", "process_id": "cancellation", "record": RECORD}
PLANS = {plan.id: plan for plan in blueprint().steps}


def after(*commands: Command) -> list[Event]:
    """The history of a process to which this was done."""
    history: list[Event] = []
    for command in commands:
        history += INSTANCE.decide(command, INSTANCE.fold(INSTANCE.initial, history))
    return history


def kinds(events: Sequence[Event]) -> list[tuple[str, str | None]]:
    return [(type(event).__name__, getattr(event, "step_id", None)) for event in events]


def decided(command: Command, *history: Command) -> list[tuple[str, str | None]]:
    return kinds(INSTANCE.decide(command, INSTANCE.fold(INSTANCE.initial, after(*history))))


def assigned(step_id: str, assignee: Any, due_on: date | None = None) -> TaskAssigned:
    plan = PLANS[step_id]
    return TaskAssigned(
        **OF,
        step_id=step_id,
        assignee=assignee,
        title=plan.title,
        info=plan.info,
        journey=plan.journey,
        done_on=plan.done_on,
        due_on=due_on,
        contact_id="anna",
        portal_id="customers",
    )


CHECKED = Complete("check", situation())
REPORTED = ReportDone("proof", "anna", situation())
SUBMITTED = Submit("proof", "anna", "upload_proof", "s-2", situation())


def test_a_process_starts_with_its_first_step() -> None:
    given(INSTANCE).when(start()).then(
        ProcessStarted(
            **OF,
            process_version=1,
            title=blueprint().title,
            steps=blueprint().steps,
            contact_id="anna",
            portal_id="customers",
            submission_id="s-1",
            effect=2,
        ),
        StepActivated(**OF, step_id="check", due_on=None),
        assigned("check", GroupAssignee(group="customer_service")),
    )


def test_it_starts_once() -> None:
    given(INSTANCE, *after(start())).when(start()).then()


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"blueprint": None}, "process_not_found"),
        ({"blueprint": replace(blueprint(), on="meter")}, "process_for_other_entity"),
        ({"depth": MAXIMUM_DEPTH + 1}, "process_loop"),
    ],
)
def test_what_cannot_start_is_told_once(facts: dict[str, Any], code: str) -> None:
    refused = ProcessNotStarted(process_id="cancellation", code=code, submission_id="s-1", effect=2)
    given(INSTANCE).when(start(**facts)).then(refused)
    given(INSTANCE, refused).when(start()).then()
    given(INSTANCE, refused).when(Cancel("no")).rejects("instance_not_found")


def test_the_next_step_is_the_customers_task_and_due_from_its_turn_in_berlin() -> None:
    due_on = date(2026, 12, 6)
    given(INSTANCE, *after(start())).when(CHECKED).then(
        StepDone(**OF, step_id="check"),
        StepActivated(**OF, step_id="proof", due_on=due_on),
        assigned("proof", ANNA, due_on),
    )


def test_a_step_whose_condition_does_not_hold_at_its_turn_is_left_out() -> None:
    assert decided(Complete("check", situation("price")), start()) == [
        ("StepDone", "check"),
        ("StepSkipped", "proof"),
        ("StepActivated", "decide"),
        ("TaskAssigned", "decide"),
    ]


def test_whoever_is_assigned_reports_and_staff_of_the_next_group_go_on() -> None:
    events = INSTANCE.decide(REPORTED, INSTANCE.fold(INSTANCE.initial, after(start(), CHECKED)))
    assert events[0] == TaskDone(
        **OF,
        step_id="proof",
        assignee=ANNA,
        title=PLANS["proof"].title,
        submission_id=None,
        contact_id="anna",
        portal_id="customers",
        group="back_office",
    )
    assert kinds(events[1:]) == [("StepDone", "proof"), ("StepActivated", "decide"), ("TaskAssigned", "decide")]


def test_a_group_that_is_responsible_is_told_whatever_comes_next() -> None:
    document = {**DOCUMENT, "responsible": {"group": "sales"}}
    state = INSTANCE.fold(INSTANCE.initial, after(start(document), CHECKED))
    assert next(e for e in INSTANCE.decide(REPORTED, state) if isinstance(e, TaskDone)).group == "sales"


def test_a_submission_is_noted_and_he_still_says_that_he_is_done() -> None:
    given(INSTANCE, *after(start(), CHECKED)).when(SUBMITTED).then(
        TaskSubmitted(**OF, step_id="proof", submission_id="s-2")
    )
    given(INSTANCE, *after(start(), CHECKED, SUBMITTED)).when(SUBMITTED).then()
    state = INSTANCE.fold(INSTANCE.initial, after(start(), CHECKED, SUBMITTED))
    assert next(e for e in INSTANCE.decide(REPORTED, state) if isinstance(e, TaskDone)).submission_id == "s-2"


def test_where_sending_is_enough_the_step_is_done_with_it() -> None:
    steps = [{**step, "done_on": "submit"} if step["id"] == "proof" else step for step in DOCUMENT["steps"]]
    history = (start({**DOCUMENT, "steps": steps}), CHECKED)
    assert decided(SUBMITTED, *history) == [
        ("TaskSubmitted", "proof"),
        ("TaskDone", "proof"),
        ("StepDone", "proof"),
        ("StepActivated", "decide"),
        ("TaskAssigned", "decide"),
    ]
    given(INSTANCE, *after(*history)).when(REPORTED).rejects("task_done_by_submission")


def test_what_is_somebody_elses_does_not_exist_for_him() -> None:
    history = given(INSTANCE, *after(start(), CHECKED))
    for command in (
        replace(REPORTED, contact_id="ben"),
        replace(REPORTED, contact_id=None),
        replace(REPORTED, step_id="check"),
        replace(REPORTED, step_id="nothing"),
        replace(SUBMITTED, contact_id="ben"),
    ):
        history.when(command).rejects("task_not_found")
    history.when(replace(SUBMITTED, journey_id="other")).rejects("task_other_journey")
    given(INSTANCE, *after(start(), CHECKED, REPORTED)).when(REPORTED).rejects("task_not_open")
    given(INSTANCE, *after(start(), CHECKED, Cancel("no"))).when(REPORTED).rejects("task_not_open")


def test_the_last_step_is_done_by_itself_and_the_process_is_completed() -> None:
    events = INSTANCE.decide(
        Complete("decide", situation()), INSTANCE.fold(INSTANCE.initial, after(start(), CHECKED, REPORTED))
    )
    assert kinds(events) == [
        ("StepDone", "decide"),
        ("StepActivated", "confirmed"),
        ("ActionRequested", "confirmed"),
        ("ActionRequested", "confirmed"),
        ("StepDone", "confirmed"),
        ("ProcessCompleted", None),
    ]
    assert events[3] == ActionRequested(
        **OF,
        step_id="confirmed",
        action=1,
        kind="mail",
        parameters={"template": "cancellation_confirmed", "to": "customer", "attach": []},
        contact_id="anna",
        portal_id="customers",
        group="back_office",
        process_title=blueprint().title,
        submission_id="s-1",
    )


def test_values_that_are_set_count_for_the_steps_that_follow_at_once() -> None:
    document = {
        "process": "cancellation",
        "on": "contract",
        "steps": [
            {"id": "mark", "title": {"de": "a", "en": "a"}, "automation": [{"set": {"stage": "marked"}}]},
            {"id": "then", "title": {"de": "b", "en": "b"}, "when": [{"contract.stage": {"is": "marked"}}]},
        ],
    }
    assert decided(start(document))[-1] == ("StepActivated", "then")


def test_automations_of_somebodys_step_follow_when_it_is_done_and_not_when_it_is_skipped() -> None:
    step = {
        "id": "confirm",
        "title": {"de": "a", "en": "a"},
        "assign": {"group": "g"},
        "automation": [
            {"set": {"stage": "confirmed"}},
            {"mail": {"template": "hello"}, "at": "turn"},
        ],
    }
    after_it = {"id": "then", "title": {"de": "b", "en": "b"}, "when": [{"contract.stage": {"is": "confirmed"}}]}
    document = {"process": "cancellation", "on": "contract", "steps": [step, after_it]}
    assert [getattr(event, "kind", None) for event in after(start(document))] == [None, None, None, "mail"]
    assert decided(Complete("confirm", situation()), start(document)) == [
        ("StepDone", "confirm"),
        ("ActionRequested", "confirm"),
        ("StepActivated", "then"),
    ]
    assert decided(Skip("confirm", "no", situation()), start(document)) == [
        ("StepSkipped", "confirm"),
        ("StepSkipped", "then"),
        ("ProcessCompleted", None),
    ]


def test_staff_skip_with_a_reason() -> None:
    assert decided(Skip("proof", "sent by post", situation()), start(), CHECKED) == [
        ("StepSkipped", "proof"),
        ("StepActivated", "decide"),
        ("TaskAssigned", "decide"),
    ]
    given(INSTANCE, *after(start())).when(Skip("proof", "x", situation())).rejects("step_not_active", status="pending")


def test_a_reopened_step_is_its_turn_again_and_those_behind_it_are_pending() -> None:
    history = after(start(), CHECKED, SUBMITTED, REPORTED)
    events = INSTANCE.decide(Reopen("proof", "unreadable", situation()), INSTANCE.fold(INSTANCE.initial, history))
    assert events == [
        StepReopened(**OF, step_id="proof", reason="unreadable"),
        StepActivated(**OF, step_id="proof", due_on=date(2026, 12, 6)),
        assigned("proof", ANNA, date(2026, 12, 6)),
    ]
    state = INSTANCE.fold(INSTANCE.initial, [*history, *events])
    assert [step.status for step in state.steps] == ["done", "active", "pending", "pending"]
    assert state.steps[1].submission_id is None


def test_a_completed_process_goes_on_where_a_step_is_reopened() -> None:
    whole = (start(), CHECKED, REPORTED, Complete("decide", situation()))
    assert decided(Reopen("confirmed", None, situation()), *whole) == [
        ("StepReopened", "confirmed"),
        ("StepActivated", "confirmed"),
        ("ActionRequested", "confirmed"),
        ("ActionRequested", "confirmed"),
        ("StepDone", "confirmed"),
        ("ProcessCompleted", None),
    ]
    given(INSTANCE, *after(*whole)).when(Complete("decide", situation())).rejects("process_not_open")
    given(INSTANCE, *after(start())).when(Reopen("check", None, situation())).rejects("step_not_over")
    cancelled = after(start(), CHECKED, Cancel("no"))
    given(INSTANCE, *cancelled).when(Reopen("check", None, situation())).rejects("process_not_open")


def test_the_active_step_is_given_to_somebody_else() -> None:
    otto = StaffAssignee(staff_id="otto")
    due_on = date(2026, 12, 6)
    given(INSTANCE, *after(start(), CHECKED)).when(Assign("proof", otto)).then(assigned("proof", otto, due_on))
    given(INSTANCE, *after(start(), CHECKED)).when(Assign("proof", ANNA)).then()
    given(INSTANCE, *after(start(), CHECKED, Assign("proof", otto))).when(REPORTED).rejects("task_not_found")


def test_without_a_customer_the_step_waits_for_staff() -> None:
    nobody = replace(situation(), contacts={})
    assert decided(Complete("check", nobody), start()) == [("StepDone", "check"), ("StepActivated", "proof")]


def test_a_step_that_is_not_done_by_its_day_is_told_and_only_then() -> None:
    due_on = date(2026, 12, 6)
    overdue = StepOverdue(
        **OF,
        step_id="proof",
        due_on=due_on,
        assignee=ANNA,
        title=PLANS["proof"].title,
        contact_id="anna",
        portal_id="customers",
        group="back_office",
    )
    given(INSTANCE, *after(start(), CHECKED)).when(Remind("proof", due_on)).then(overdue)
    for history in ((start(),), (start(), CHECKED, REPORTED), (start(), CHECKED, Cancel("no"))):
        given(INSTANCE, *after(*history)).when(Remind("proof", due_on)).then()
    given(INSTANCE, *after(start(), CHECKED)).when(Remind("proof", date(2026, 12, 5))).then()


def test_a_process_is_cancelled_once() -> None:
    cancelled = ProcessCancelled(**OF, reason="customer stays", submission_id="s-1")
    given(INSTANCE, *after(start())).when(Cancel("customer stays")).then(cancelled)
    given(INSTANCE, *after(start()), cancelled).when(Cancel("again")).rejects("process_not_open")


STEPS = st.sampled_from([*PLANS, "nothing"])
SITUATIONS = st.builds(
    lambda reason, known: situation(reason, **({"customer": "anna"} if known else {"installer": "ida"})),
    st.sampled_from(["moving", "price"]),
    st.booleans(),
)
COMMANDS = st.one_of(
    st.builds(Complete, STEPS, SITUATIONS),
    st.builds(ReportDone, STEPS, st.sampled_from(["anna", "ben"]), SITUATIONS),
    st.builds(Submit, STEPS, st.just("anna"), st.just("upload_proof"), st.sampled_from(["s-2", "s-3"]), SITUATIONS),
    st.builds(Skip, STEPS, st.just("because"), SITUATIONS),
    st.builds(Reopen, STEPS, st.just("again"), SITUATIONS),
    st.builds(Remind, STEPS, st.just(date(2026, 12, 6))),
    st.builds(Assign, STEPS, st.sampled_from([ANNA, GroupAssignee(group="g"), StaffAssignee(staff_id="otto")])),
)
ENDING = st.builds(Cancel, st.just("enough"))


@drawn(st.lists(COMMANDS, max_size=25), st.none() | ENDING)
def test_whatever_is_done_exactly_one_step_is_active_while_a_process_is_open(
    commands: list[Command], last: Cancel | None
) -> None:
    history = after(start())
    for command in [*commands, *([last] if last else [])]:
        before = INSTANCE.fold(INSTANCE.initial, history)
        try:
            events = INSTANCE.decide(command, before)
        except Rejected:
            continue
        history += events
        state = INSTANCE.fold(before, events)
        assert state == INSTANCE.fold(INSTANCE.initial, history)
        _holds_together(state, events)


def _holds_together(state: State, events: Sequence[Event]) -> None:
    assert isinstance(state, Instance)
    statuses = [step.status for step in state.steps]
    if state.status == "open":
        assert statuses.count("active") == 1
        active = statuses.index("active")
        assert set(statuses[:active]) <= {"done", "skipped"}
        assert set(statuses[active + 1 :]) <= {"pending"}
    if state.status == "completed":
        assert set(statuses) <= {"done", "skipped"}
    for event in events:
        if isinstance(event, StepReopened):
            place = [step.plan.id for step in state.steps].index(event.step_id)
            assert all(step.submission_id is None for step in state.steps[place:])
    assert len([event for event in events if isinstance(event, ProcessCompleted | ProcessCancelled)]) <= 1


FACTS: dict[type[Event], dict[str, Any]] = {
    StepActivated: {"due_on": None},
    StepDone: {},
    StepSkipped: {"reason": None},
    StepReopened: {"reason": None},
    TaskSubmitted: {"submission_id": "s"},
}
ANY_EVENT = st.builds(lambda kind, step: kind(**OF, step_id=step, **FACTS[kind]), st.sampled_from([*FACTS]), STEPS)


@drawn(st.lists(ANY_EVENT | st.just(ProcessCompleted(**OF, submission_id=None)), max_size=30), st.booleans())
def test_a_fold_never_raises(events: list[Event], started: bool) -> None:
    INSTANCE.fold(INSTANCE.initial, [*(after(start()) if started else []), *events])
