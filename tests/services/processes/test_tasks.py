"""The rules of tasks: who may say that one is done, what a submission does, whose it becomes, and when it is late."""

from dataclasses import replace
from datetime import date

from contracts.processes import StaffAssignee, StepOverdue, TaskDone, TaskSubmitted
from services.processes.instances.decider import INSTANCE, Assign, Cancel, Complete, Remind
from tests.services.processes.histories import (
    ANNA,
    CHECKED,
    OF,
    PLANS,
    REPORTED,
    SUBMITTED,
    after,
    assigned,
    decided,
    kinds,
)
from tests.services.processes.plans import DOCUMENT, situation, start
from tests.support import given


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
