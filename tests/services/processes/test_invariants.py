"""What holds of a process whatever staff and customers do, and whatever its history says."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from hypothesis import given as drawn
from hypothesis import strategies as st

from chassis.errors import Rejected
from contracts.base import Event
from contracts.processes import (
    GroupAssignee,
    ProcessCancelled,
    ProcessCompleted,
    StaffAssignee,
    StepActivated,
    StepDone,
    StepReopened,
    StepSkipped,
    TaskSubmitted,
)
from services.processes.instances.decider import (
    INSTANCE,
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
from tests.services.processes.histories import ANNA, OF, PLANS, after
from tests.services.processes.plans import situation, start

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
