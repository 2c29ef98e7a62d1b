"""Histories of the process of `plans`, and what is decided after them."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from contracts.base import Event
from contracts.processes import ContactAssignee, TaskAssigned
from services.processes.instances.decider import INSTANCE, Command, Complete, ReportDone, Submit
from tests.services.processes.plans import RECORD, blueprint, situation

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
