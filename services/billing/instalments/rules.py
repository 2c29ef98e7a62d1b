"""Inside which limits and when an instalment may be changed: the same pure functions decide and give the preview."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from chassis.errors import Rejected
from contracts.billing import Schedule
from contracts.common import Instalment
from contracts.portal import InstalmentRules
from services.billing.instalments.state import Instalments, NoPlan, Plan


@dataclass(frozen=True, slots=True)
class Limits:
    """The amounts that the rules allow, both ends included; `upper_cents` None: no upper limit."""

    lower_cents: int
    upper_cents: int | None


@dataclass(frozen=True, slots=True)
class Opening:
    """The first day on which a change may be asked for, and the due date from which it would be in force."""

    possible_on: date
    effective_from: date


def limits(plan: Plan, rules: InstalmentRules) -> Limits:
    """Percentages count from the amount in force and are rounded to the inside; the absolute minimum comes on top."""
    down = 0 if rules.down_percent is None else -(-plan.amount_cents * (100 - rules.down_percent) // 100)
    up = None if rules.up_percent is None else plan.amount_cents * (100 + rules.up_percent) // 100
    return Limits(max(down, rules.minimum_cents), up)


def next_opening(plan: Plan, rules: InstalmentRules, from_day: date) -> Opening | None:
    """None when the plan has no due date left that is far enough away.

    A due date counts as next until its own day begins; a change must come `days_before_due` days before the next one.
    """
    lead = timedelta(days=rules.days_before_due)
    opens = from_day
    for due_on in (item.due_on for item in plan.schedule if item.due_on > from_day):
        if opens + lead <= due_on:
            return Opening(opens, due_on)
        opens = due_on
    return None


def next_opening_by_calendar(plan: Plan, rules: InstalmentRules, today: date) -> Opening | None:
    """The next opening that also keeps the distance to the last change."""
    again = _again_on(plan, rules)
    return next_opening(plan, rules, max(today, again) if again else today)


def schedule_with(schedule: Schedule, effective_from: date, amount_cents: int) -> Schedule:
    """The same due dates, with this amount from `effective_from` on."""
    return tuple(
        Instalment(due_on=item.due_on, amount_cents=amount_cents) if item.due_on >= effective_from else item
        for item in schedule
    )


def check_now(plan: Instalments, rules: InstalmentRules, today: date, overdue: bool) -> tuple[Plan, Opening]:
    """The plan, and from when a change of today would be in force; raises Rejected when today none is allowed."""
    if isinstance(plan, NoPlan):
        raise Rejected("no_instalment_plan")
    if plan.pending:
        raise Rejected(
            "change_pending",
            change_id=plan.pending.change_id,
            pending_cents=plan.pending.amount_cents,
            currency=plan.currency,
        )
    if overdue and rules.not_while_overdue:
        raise Rejected("payment_overdue")
    opening = next_opening_by_calendar(plan, rules, today)
    again = _again_on(plan, rules)
    if again and again > today:
        raise Rejected(
            "changed_too_recently",
            last_changed_on=plan.last_changed_on,
            once_per_days=rules.once_per_days,
            next_possible_on=opening.possible_on if opening else again,
        )
    if opening is None:
        raise Rejected("no_due_date_left", days_before_due=rules.days_before_due)
    if opening.possible_on > today:
        next_due_on = min(item.due_on for item in plan.schedule if item.due_on > today)
        raise Rejected(
            "too_close_to_due_date",
            next_due_on=next_due_on,
            days_before_due=rules.days_before_due,
            next_possible_on=opening.possible_on,
        )
    return plan, opening


def check_amount(plan: Plan, rules: InstalmentRules, amount_cents: int) -> None:
    """Raises Rejected when the rules do not allow this amount, whatever the day."""
    allowed = limits(plan, rules)
    facts = {
        "amount_cents": amount_cents,
        "current_cents": plan.amount_cents,
        "lower_limit_cents": allowed.lower_cents,
        "upper_limit_cents": allowed.upper_cents,
        "minimum_cents": rules.minimum_cents,
        "currency": plan.currency,
    }
    if amount_cents == plan.amount_cents:
        raise Rejected("amount_unchanged", **facts)
    if allowed.upper_cents is not None and allowed.upper_cents < allowed.lower_cents:
        raise Rejected("no_amount_possible", **facts)
    if amount_cents < rules.minimum_cents:
        raise Rejected("below_minimum_amount", **facts)
    if amount_cents < allowed.lower_cents:
        raise Rejected("below_lower_limit", **facts)
    if allowed.upper_cents is not None and amount_cents > allowed.upper_cents:
        raise Rejected("above_upper_limit", **facts)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change would meet and bring.

    `opening` is when the calendar allows a change next, whatever else stands against it. `refusal` is what would be
    answered now, to the amount asked about or, without one, to any. `schedule` is what would follow from `opening` on.
    """

    plan: Instalments
    limits: Limits | None
    opening: Opening | None
    refusal: Rejected | None
    schedule: Schedule


def preview(
    plan: Instalments, rules: InstalmentRules, today: date, overdue: bool, amount_cents: int | None = None
) -> Preview:
    """The answer that a change would get now, without asking for one."""
    refusal: Rejected | None = None
    try:
        known, _ = check_now(plan, rules, today, overdue)
        if amount_cents is not None:
            check_amount(known, rules, amount_cents)
    except Rejected as rejected:
        refusal = rejected
    if isinstance(plan, NoPlan):
        return Preview(plan, None, None, refusal, ())
    opening = next_opening_by_calendar(plan, rules, today)
    schedule = plan.schedule
    if opening and amount_cents is not None:
        schedule = schedule_with(schedule, opening.effective_from, amount_cents)
    return Preview(plan, limits(plan, rules), opening, refusal, schedule)


def _again_on(plan: Plan, rules: InstalmentRules) -> date | None:
    if rules.once_per_days is None or plan.last_changed_on is None:
        return None
    return plan.last_changed_on + timedelta(days=rules.once_per_days)
