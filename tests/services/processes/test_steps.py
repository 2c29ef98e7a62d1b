"""The rules of a process's course: how it starts, goes from step to step and back, and how it ends."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from contracts.processes import (
    ActionRequested,
    GroupAssignee,
    ProcessCancelled,
    ProcessNotStarted,
    ProcessStarted,
    StepActivated,
    StepDone,
    StepReopened,
)
from services.processes.instances.decider import INSTANCE, MAXIMUM_DEPTH, Cancel, Complete, Reopen, Skip
from tests.services.processes.histories import ANNA, CHECKED, OF, REPORTED, SUBMITTED, after, assigned, decided, kinds
from tests.services.processes.plans import blueprint, situation, start
from tests.support import given


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


def test_a_process_is_cancelled_once() -> None:
    cancelled = ProcessCancelled(**OF, reason="customer stays", submission_id="s-1")
    given(INSTANCE, *after(start())).when(Cancel("customer stays")).then(cancelled)
    given(INSTANCE, *after(start()), cancelled).when(Cancel("again")).rejects("process_not_open")
