"""How a process goes on: one step after the other, left out where its condition does not hold, by itself where it can.

Pure, as the decider that uses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Literal

from chassis.conditions import holds
from contracts.base import Event
from contracts.processes import (
    ActionRequested,
    Assignee,
    ContactAssignee,
    GroupAssignee,
    ProcessCompleted,
    RoleAssignee,
    StepActivated,
    StepDone,
    StepPlan,
    StepSkipped,
    TaskAssigned,
)
from services.processes.instances.state import Instance
from services.processes.situation import Situation

Facts = Mapping[str, Mapping[str, Any]]
At = Literal["turn", "done"]


def go_on(instance: Instance, step_id: str | None, situation: Situation, *, skipped: bool = False) -> Iterator[Event]:
    """What follows when a step is over (None: at the start): up to the next step that waits for somebody."""
    plans = _plans(instance)
    behind = 0 if step_id is None else [plan.id for plan in plans].index(step_id) + 1
    if behind and not skipped:
        plan = plans[behind - 1]
        yield from _actions(instance, plan, situation, "done")
        facts = _with_what_is_set(situation.facts, instance, plan, "done")
        situation = replace(situation, facts=facts)
    yield from _turns(instance, plans[behind:], situation)


def begin_again(instance: Instance, plan: StepPlan, situation: Situation) -> Iterator[Event]:
    """What follows when a step is reopened: it is its turn, whatever its condition says."""
    plans = _plans(instance)
    yield from _turns(instance, plans[plans.index(plan) :], situation, regardless=plan)


def _turns(
    instance: Instance, plans: tuple[StepPlan, ...], situation: Situation, regardless: StepPlan | None = None
) -> Iterator[Event]:
    for plan in plans:
        if plan is not regardless and not holds(plan.when, situation.facts, situation.now):
            yield StepSkipped(**step_facts(instance, plan), reason=None)
            continue
        yield from _turn(instance, plan, situation)
        if not is_done_by_itself(plan):
            return
        yield StepDone(**step_facts(instance, plan))
        yield from _actions(instance, plan, situation, "done")
        facts = _with_what_is_set(situation.facts, instance, plan, "turn", "done")
        situation = replace(situation, facts=facts)
    yield ProcessCompleted(**instance_facts(instance), submission_id=instance.submission_id)


def _turn(instance: Instance, plan: StepPlan, situation: Situation) -> Iterator[Event]:
    """It is the step's turn: it is active, assigned, and the automations of its turn are asked for."""
    due_on = None if plan.due_days is None else situation.today + timedelta(days=plan.due_days)
    yield StepActivated(**step_facts(instance, plan), due_on=due_on)
    assignee = _assignee(plan, situation)
    if assignee is not None:
        yield assigned(instance, plan, assignee, due_on)
    yield from _actions(instance, plan, situation, "turn")


def _actions(instance: Instance, plan: StepPlan, situation: Situation, at: At) -> Iterator[Event]:
    for number, automation in enumerate(plan.automation):
        if automation.at != at:
            continue
        yield ActionRequested(
            **step_facts(instance, plan),
            action=number,
            kind=automation.kind,
            parameters=automation.parameters,
            contact_id=situation.contacts.get("customer", instance.contact_id),
            portal_id=instance.portal_id,
            installer_id=situation.contacts.get("installer"),
            group=group_of(instance, plan),
            process_title=instance.title,
            submission_id=instance.submission_id,
            depth=instance.depth,
        )


def assigned(instance: Instance, plan: StepPlan, assignee: Assignee, due_on: date | None) -> TaskAssigned:
    """The step is somebody's task."""
    return TaskAssigned(
        **step_facts(instance, plan),
        assignee=assignee,
        title=plan.title,
        info=plan.info,
        journey=plan.journey,
        done_on=plan.done_on,
        due_on=due_on,
        contact_id=instance.contact_id,
        portal_id=instance.portal_id,
    )


def is_done_by_itself(plan: StepPlan) -> bool:
    """A step with automations that nobody is to do."""
    return bool(plan.automation) and plan.assign is None and plan.journey is None


def group_of(instance: Instance, plan: StepPlan) -> str | None:
    """The group of staff that is responsible: the one that is named, the next one, or the last one before."""
    if instance.responsible:
        return instance.responsible
    plans = _plans(instance)
    place = plans.index(plan)
    assignees = (each.assign for each in (*plans[place:], *reversed(plans[:place])))
    return next((assignee.group for assignee in assignees if isinstance(assignee, GroupAssignee)), None)


def instance_facts(instance: Instance) -> dict[str, Any]:
    """What every event of a process says."""
    return {"instance_id": instance.id, "process_id": instance.process_id, "record": instance.record}


def step_facts(instance: Instance, plan: StepPlan) -> dict[str, Any]:
    """What every event of a step says."""
    return {**instance_facts(instance), "step_id": plan.id}


def _plans(instance: Instance) -> tuple[StepPlan, ...]:
    return tuple(step.plan for step in instance.steps)


def _assignee(plan: StepPlan, situation: Situation) -> Assignee | None:
    """Who it is now; None also for a customer or installer whom the record does not have."""
    match plan.assign:
        case RoleAssignee(role=role):
            contact_id = situation.contacts.get(role)
            return ContactAssignee(role=role, contact_id=contact_id) if contact_id else None
        case assignee:
            return assignee


def _with_what_is_set(facts: Facts, instance: Instance, plan: StepPlan, *at: At) -> Facts:
    """Facts as they will be when the step's automations are carried out: what follows at once relies on them."""
    entity = instance.record.entity
    for automation in plan.automation:
        values = automation.parameters.get("set")
        if automation.kind == "set" and automation.at in at and isinstance(values, dict):
            facts = {**facts, entity: {**facts.get(entity, {}), **values}}
    return facts
