"""The rules of instalments: what the ERP sets, what a customer may change, and what the ERP decides."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given as sampled
from hypothesis import strategies as some

from chassis.errors import Rejected
from contracts.base import Event
from contracts.billing import InstalmentChanged, InstalmentConfirmed, InstalmentPlanSet, InstalmentRefused
from contracts.common import Instalment
from contracts.erp import InstalmentPlan
from contracts.portal import InstalmentRules
from services.billing.contracts.state import SupplyContract
from services.billing.instalments.decider import (
    DECIDER,
    ChangeInstalment,
    Command,
    ConfirmChange,
    RefuseChange,
    SetPlan,
)
from services.billing.instalments.rules import limits, preview, schedule_with
from services.billing.instalments.state import NoPlan
from tests.support import given

CONTRACT = SupplyContract(id="c1", number="4711", contact_id="p1", division="electricity")
NAMED = CONTRACT.named()
TODAY = date(2026, 3, 10)
DUES = (date(2026, 4, 1), date(2026, 5, 1), date(2026, 6, 1))
RULES = InstalmentRules()


def schedule(amount_cents: int, dues: Sequence[date] = DUES) -> tuple[Instalment, ...]:
    return tuple(Instalment(due_on=due, amount_cents=amount_cents) for due in dues)


def plan(amount_cents: int = 10_000, dues: Sequence[date] = DUES) -> InstalmentPlan:
    return InstalmentPlan(
        contract="4711", amount_cents=amount_cents, valid_from=date(2026, 1, 1), schedule=schedule(amount_cents, dues)
    )


def change(amount_cents: int = 9_000, **other: Any) -> ChangeInstalment:
    command = ChangeInstalment(CONTRACT, "change-1", amount_cents, TODAY, RULES, overdue=False, portal_id="customers")
    return replace(command, **other)


def plan_set(amount_cents: int = 10_000, dues: Sequence[date] = DUES) -> InstalmentPlanSet:
    told = plan(amount_cents, dues)
    return InstalmentPlanSet(
        **NAMED, amount_cents=amount_cents, currency="EUR", valid_from=told.valid_from, schedule=told.schedule
    )


CHANGED = InstalmentChanged(
    **NAMED,
    change_id="change-1",
    from_cents=10_000,
    amount_cents=9_000,
    currency="EUR",
    effective_from=DUES[0],
    changed_on=TODAY,
    portal_id="customers",
)
CONFIRMED = InstalmentConfirmed(
    **NAMED,
    change_id="change-1",
    from_cents=10_000,
    amount_cents=9_000,
    currency="EUR",
    effective_from=DUES[0],
    schedule=schedule(9_000),
    portal_id="customers",
)
REFUSED = InstalmentRefused(
    **NAMED,
    change_id="change-1",
    amount_cents=9_000,
    current_cents=10_000,
    currency="EUR",
    reason="Consumption is higher",
    portal_id="customers",
)


def test_the_first_plan_is_set() -> None:
    given(DECIDER).when(SetPlan(CONTRACT, plan())).then(plan_set())


def test_a_plan_told_again_is_no_news() -> None:
    given(DECIDER, plan_set()).when(SetPlan(CONTRACT, plan())).then()


def test_another_plan_replaces_the_one_before() -> None:
    given(DECIDER, plan_set()).when(SetPlan(CONTRACT, plan(12_000))).then(plan_set(12_000))


def test_a_change_inside_the_limits_is_asked_for() -> None:
    given(DECIDER, plan_set()).when(change()).then(CHANGED)


def test_a_plan_with_the_amount_asked_for_confirms() -> None:
    echo = plan(9_000)
    confirmed = CONFIRMED.model_copy(update={"effective_from": echo.valid_from})
    given(DECIDER, plan_set(), CHANGED).when(SetPlan(CONTRACT, echo)).then(confirmed)
    given(DECIDER, plan_set(), CHANGED, confirmed).when(SetPlan(CONTRACT, echo)).then()
    given(DECIDER, plan_set(), CHANGED, confirmed).when(ConfirmChange(CONTRACT, "change-1")).then()


def test_another_plan_leaves_the_change_open() -> None:
    given(DECIDER, plan_set(), CHANGED).when(SetPlan(CONTRACT, plan(11_000))).then(plan_set(11_000))
    told = given(DECIDER, plan_set(), CHANGED, plan_set(11_000))
    told.when(RefuseChange(CONTRACT, "change-1", "No")).then(
        REFUSED.model_copy(update={"current_cents": 11_000, "reason": "No"})
    )


def test_the_erp_confirms() -> None:
    asked = given(DECIDER, plan_set(), CHANGED)
    asked.when(ConfirmChange(CONTRACT, "change-1")).then(CONFIRMED)
    later = (date(2026, 4, 15), date(2026, 5, 15))
    asked.when(ConfirmChange(CONTRACT, "change-1", schedule(9_000, later))).then(
        CONFIRMED.model_copy(update={"schedule": schedule(9_000, later)})
    )


def test_a_confirmation_with_a_schedule_of_another_amount_does_not_fit() -> None:
    asked = given(DECIDER, plan_set(), CHANGED)
    asked.when(ConfirmChange(CONTRACT, "change-1", schedule(9_500))).rejects("schedule_without_amount")


def test_the_erp_refuses() -> None:
    given(DECIDER, plan_set(), CHANGED).when(RefuseChange(CONTRACT, "change-1", "Consumption is higher")).then(REFUSED)


def test_a_decision_told_again_is_no_news() -> None:
    given(DECIDER, plan_set(), CHANGED, CONFIRMED).when(ConfirmChange(CONTRACT, "change-1")).then()
    given(DECIDER, plan_set(), CHANGED, REFUSED).when(RefuseChange(CONTRACT, "change-1", "Other words")).then()


def test_a_decision_stands() -> None:
    confirmed = given(DECIDER, plan_set(), CHANGED, CONFIRMED)
    confirmed.when(RefuseChange(CONTRACT, "change-1", "No")).rejects("change_already_decided", decision="confirmed")
    refused = given(DECIDER, plan_set(), CHANGED, REFUSED)
    refused.when(ConfirmChange(CONTRACT, "change-1")).rejects("change_already_decided", decision="refused")


@pytest.mark.parametrize("history", [(), (plan_set(),), (plan_set(), CHANGED)])
def test_only_a_change_that_was_asked_for_can_be_decided(history: tuple[Event, ...]) -> None:
    given(DECIDER, *history).when(ConfirmChange(CONTRACT, "another")).rejects("unknown_change", change_id="another")
    given(DECIDER, *history).when(RefuseChange(CONTRACT, "another", "No")).rejects("unknown_change")


def test_without_a_plan_nothing_can_be_changed() -> None:
    given(DECIDER).when(change()).rejects("no_instalment_plan")


@pytest.mark.parametrize(
    ("amount_cents", "code"),
    [
        (10_000, "amount_unchanged"),
        (7_999, "below_lower_limit"),
        (999, "below_minimum_amount"),
        (20_001, "above_upper_limit"),
    ],
)
def test_amounts_outside_the_limits_are_refused(amount_cents: int, code: str) -> None:
    refusal = given(DECIDER, plan_set()).when(change(amount_cents)).rejects(code)
    assert refusal.facts["lower_limit_cents"] == 8_000
    assert refusal.facts["upper_limit_cents"] == 20_000


@pytest.mark.parametrize("amount_cents", [8_000, 20_000])
def test_the_limits_themselves_are_allowed(amount_cents: int) -> None:
    events = DECIDER.decide(change(amount_cents), given(DECIDER, plan_set()).state)
    assert isinstance(events[0], InstalmentChanged)


def test_limits_can_be_switched_off() -> None:
    free = InstalmentRules(down_percent=None, up_percent=None, minimum_cents=0)
    events = DECIDER.decide(change(5_000_000, rules=free), given(DECIDER, plan_set()).state)
    assert isinstance(events[0], InstalmentChanged)


def test_where_the_minimum_is_above_the_upper_limit_no_amount_is_possible() -> None:
    strict = InstalmentRules(up_percent=10, minimum_cents=20_000)
    given(DECIDER, plan_set()).when(change(20_000, rules=strict)).rejects("no_amount_possible")


def test_another_currency_is_refused() -> None:
    given(DECIDER, plan_set()).when(change(currency="CHF")).rejects("invalid_currency", currency="EUR")


def test_none_while_a_change_is_pending() -> None:
    asked = given(DECIDER, plan_set(), CHANGED)
    asked.when(change(8_500, change_id="change-2")).rejects("change_pending", change_id="change-1", pending_cents=9_000)


def test_none_while_a_payment_is_overdue() -> None:
    given(DECIDER, plan_set()).when(change(overdue=True)).rejects("payment_overdue")
    allowed = InstalmentRules(not_while_overdue=False)
    given(DECIDER, plan_set()).when(change(overdue=True, rules=allowed)).then(CHANGED)


def test_close_to_a_due_date_the_next_possible_day_is_told() -> None:
    started = given(DECIDER, plan_set())
    started.when(change(today=date(2026, 3, 22))).then(CHANGED.model_copy(update={"changed_on": date(2026, 3, 22)}))
    started.when(change(today=date(2026, 3, 23))).rejects(
        "too_close_to_due_date", next_due_on=DUES[0], days_before_due=10, next_possible_on=DUES[0]
    )
    started.when(change(today=DUES[0])).then(
        CHANGED.model_copy(update={"changed_on": DUES[0], "effective_from": DUES[1]})
    )


def test_after_the_last_due_date_nothing_can_be_changed() -> None:
    given(DECIDER, plan_set()).when(change(today=date(2026, 5, 25))).rejects("no_due_date_left", days_before_due=10)
    given(DECIDER, plan_set(dues=())).when(change()).rejects("no_due_date_left")


def test_one_change_in_a_period() -> None:
    changed = given(DECIDER, plan_set(), CHANGED, CONFIRMED)
    again = change(9_500, change_id="change-2", today=date(2026, 4, 8))
    changed.when(again).rejects(
        "changed_too_recently", last_changed_on=TODAY, once_per_days=30, next_possible_on=date(2026, 4, 9)
    )
    later = DECIDER.decide(replace(again, today=date(2026, 4, 9)), changed.state)
    assert isinstance(later[0], InstalmentChanged)


def test_another_plan_does_not_make_decisions_and_the_period_forgotten() -> None:
    later = given(DECIDER, plan_set(), CHANGED, CONFIRMED, plan_set(12_000))
    later.when(ConfirmChange(CONTRACT, "change-1")).then()
    later.when(change(11_000, change_id="change-2", today=date(2026, 4, 8))).rejects("changed_too_recently")


def test_a_refused_change_does_not_count_for_the_period() -> None:
    refused = given(DECIDER, plan_set(), CHANGED, REFUSED)
    events = DECIDER.decide(change(9_500, change_id="change-2", today=date(2026, 3, 12)), refused.state)
    assert isinstance(events[0], InstalmentChanged)


def test_a_preview_shows_what_would_follow() -> None:
    found = preview(given(DECIDER, plan_set()).state, RULES, date(2026, 4, 5), False, 9_000)
    assert found.refusal is None
    assert found.limits is not None
    assert (found.limits.lower_cents, found.limits.upper_cents) == (8_000, 20_000)
    assert found.opening is not None
    assert (found.opening.possible_on, found.opening.effective_from) == (date(2026, 4, 5), DUES[1])
    assert found.schedule == (*schedule(10_000)[:1], *schedule(9_000)[1:])


def test_a_preview_without_a_plan() -> None:
    found = preview(NoPlan(), RULES, TODAY, False, 9_000)
    assert found.refusal is not None
    assert (found.refusal.code, found.limits, found.opening, found.schedule) == ("no_instalment_plan", None, None, ())


days = some.dates(date(2026, 1, 1), date(2027, 12, 31))
amounts = some.integers(0, 100_000)
rule_sets = some.builds(
    InstalmentRules,
    down_percent=some.none() | some.integers(0, 100),
    up_percent=some.none() | some.integers(0, 300),
    minimum_cents=some.integers(0, 20_000),
    days_before_due=some.integers(0, 40),
    once_per_days=some.none() | some.integers(1, 90),
    not_while_overdue=some.booleans(),
)
schedules = some.lists(days, unique=True, max_size=14).map(sorted)
change_ids = some.sampled_from(["a", "b", "c"])
commands = some.one_of(
    some.builds(lambda amount, dues: SetPlan(CONTRACT, plan(amount, dues)), amounts, schedules),
    some.builds(
        ChangeInstalment,
        contract=some.just(CONTRACT),
        change_id=change_ids,
        amount_cents=amounts,
        today=days,
        rules=rule_sets,
        overdue=some.booleans(),
        portal_id=some.none(),
    ),
    some.builds(
        lambda id_, amount, dues: ConfirmChange(CONTRACT, id_, schedule(amount, dues)), change_ids, amounts, schedules
    ),
    some.builds(ConfirmChange, contract=some.just(CONTRACT), change_id=change_ids),
    some.builds(lambda id_: RefuseChange(CONTRACT, id_, "No"), change_ids),
)


def run(sequence: Sequence[Command]) -> list[Event]:
    """Every event of a stream that got these commands, refusals passed over; checks the fold at every step."""
    events: list[Event] = []
    state = DECIDER.initial
    for command in sequence:
        try:
            decided = DECIDER.decide(command, state)
        except Rejected:
            continue
        events.extend(decided)
        state = DECIDER.fold(state, decided)
        assert state == DECIDER.fold(DECIDER.initial, events)
    return events


@sampled(some.lists(commands, max_size=25))
def test_any_commands_fold_and_every_event_survives_its_json(sequence: list[Command]) -> None:
    for event in run(sequence):
        assert type(event).model_validate_json(event.model_dump_json()) == event


@sampled(some.lists(commands, max_size=25))
def test_what_the_erp_says_twice_in_a_row_is_no_news(sequence: list[Command]) -> None:
    twice = [command for command in sequence for _ in range(1 if isinstance(command, ChangeInstalment) else 2)]
    assert run(twice) == run(sequence)


plans = some.builds(plan_set, amounts, schedules)


@sampled(plans, amounts, rule_sets, days, some.booleans())
def test_limits_are_never_crossed_and_the_preview_says_the_same(
    told: InstalmentPlanSet, wanted: int, rules: InstalmentRules, today: date, overdue: bool
) -> None:
    current, dues = told.amount_cents, [item.due_on for item in told.schedule]
    state = given(DECIDER, told).state
    found = preview(state, rules, today, overdue, wanted)
    asked = given(DECIDER, told).when(change(wanted, rules=rules, today=today, overdue=overdue))
    if found.refusal is not None:
        asked.rejects(found.refusal.code, **found.refusal.facts)
        return
    (changed,) = DECIDER.decide(asked.command, state)
    assert isinstance(changed, InstalmentChanged)
    assert not (overdue and rules.not_while_overdue)
    assert wanted >= rules.minimum_cents
    assert rules.down_percent is None or wanted * 100 >= current * (100 - rules.down_percent)
    assert rules.up_percent is None or wanted * 100 <= current * (100 + rules.up_percent)
    following = min(due for due in dues if due > today)
    assert changed.effective_from == following >= today + timedelta(days=rules.days_before_due)
    assert found.schedule == schedule_with(state.schedule, following, wanted)


@sampled(amounts, schedules, rule_sets, days)
def test_on_the_day_that_is_named_a_change_is_possible(
    current: int, dues: list[date], rules: InstalmentRules, today: date
) -> None:
    state = given(DECIDER, plan_set(current, dues)).state
    opening = preview(state, rules, today, False).opening
    if opening is not None:
        assert opening.possible_on >= today
        on_that_day = preview(state, rules, opening.possible_on, False)
        assert on_that_day.refusal is None
        assert on_that_day.opening == opening
        assert limits(state, rules) == on_that_day.limits
    for day in (today + timedelta(days=n) for n in range((max(dues, default=today) - today).days)):
        following = min(due for due in dues if due > day)
        if following - day >= timedelta(days=rules.days_before_due):
            assert opening is not None
            assert (opening.possible_on, opening.effective_from) == (day, following)
            return
    assert opening is None
