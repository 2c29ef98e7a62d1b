"""What the ERP tells about one contract: the plan in force, and the billing events of the last 14 months. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from cli.seeding.lindenau import Product
from contracts.billing import BillingKind, Direction
from contracts.common import Instalment
from contracts.erp import BillingEvent, ErpMessage, InstalmentPlan

MONTHS = 14
FORWARD = 12
DUNNING_AFTER_DAYS = 14
DUNNING_FEE_CENTS = 350
RETURN_FEE_CENTS = 480


@dataclass(frozen=True, slots=True)
class Habit:
    """How somebody pays: days after an instalment is due (0 by direct debit), and how many of the last stay open."""

    days_late: tuple[int, int]
    left_open: int


def messages_of(random: Random, number: str, product: Product, starts_on: date, today: date) -> Iterator[ErpMessage]:
    """The plan first, then the billing events in the order in which they became due."""
    due_day = random.choice((1, 15))
    amount = random.randint(*product.monthly_euros) * 100
    billed_in = random.randint(1, 12)
    habit = _habit(random)
    schedule = [due for due in _months(today, due_day, range(FORWARD + 1)) if due > today][:FORWARD]
    yield InstalmentPlan(
        contract=number,
        amount_cents=amount,
        valid_from=max(starts_on, _last_bill(billed_in, today)),
        schedule=tuple(Instalment(due_on=due, amount_cents=amount) for due in schedule),
    )
    events = _Events(number, today)
    past = [due for due in _months(today, due_day, range(1 - MONTHS, 1)) if due >= starts_on]
    earlier = amount - random.choice((0, 0, 200, 500, 800, -300))
    for place, due in enumerate(past):
        is_open = len(past) - place <= habit.left_open
        paid_on = None if is_open else due + timedelta(days=random.randint(*habit.days_late))
        known_amount = amount if due > _last_bill(billed_in, today) else max(earlier, 100)
        yield events.instalment(due, known_amount, paid_on)
        if is_open and (today - due).days > DUNNING_AFTER_DAYS:
            yield events.of("dunning_fee", due + timedelta(days=DUNNING_AFTER_DAYS), DUNNING_FEE_CENTS, None)
        elif paid_on and random.random() < 0.004:
            yield from _returned(events, due, known_amount)
        if due.month == billed_in and (due - starts_on).days > 90:
            yield _annual_bill(random, events, due, amount)
    if (today - starts_on).days < 31 * MONTHS and random.random() < 0.4:
        yield events.of("bonus", add_months(starts_on, 1), random.choice((5_000, 7_500, 10_000)), 0, "credit")


class _Events:
    """Makes billing events of a contract; the kind and the day make an id that is the same every time."""

    def __init__(self, number: str, today: date) -> None:
        self._number = number
        self._today = today

    def instalment(self, due: date, amount_cents: int, paid_on: date | None) -> BillingEvent:
        return self._event("instalment", due, amount_cents, paid_on, "debit")

    def of(
        self, kind: BillingKind, due: date, amount_cents: int, paid_after: int | None, direction: Direction = "debit"
    ) -> BillingEvent:
        paid_on = None if paid_after is None else due + timedelta(days=paid_after)
        return self._event(kind, due, amount_cents, paid_on, direction)

    def _event(
        self, kind: BillingKind, due: date, amount_cents: int, paid_on: date | None, direction: Direction
    ) -> BillingEvent:
        paid = paid_on if paid_on and paid_on <= self._today else None
        return BillingEvent(
            contract=self._number,
            external_id=f"{self._number}/{kind}/{due:%Y%m%d}",
            kind=kind,
            direction=direction,
            amount_cents=amount_cents,
            due_on=due,
            paid_on=paid,
            status="closed" if paid else "open",
        )


def _habit(random: Random) -> Habit:
    kind = random.random()
    if kind < 0.88:
        return Habit((0, 0), 0)
    if kind < 0.96:
        return Habit((2, 20), random.choice((0, 1)))
    return Habit((5, 25), random.choice((2, 3)))


def _returned(events: _Events, due: date, amount_cents: int) -> Iterator[BillingEvent]:
    """The bank took a debit back; the customer transferred the amount and the fee later."""
    returned_on = due + timedelta(days=4)
    yield events.of("chargeback", returned_on, amount_cents, 9)
    yield events.of("custom", returned_on, RETURN_FEE_CENTS, 9)
    yield events.of("payment", returned_on + timedelta(days=9), amount_cents + RETURN_FEE_CENTS, 0, "credit")


def _annual_bill(random: Random, events: _Events, due: date, amount_cents: int) -> BillingEvent:
    """What the year really cost, after the instalments: something to pay, or something back."""
    billed_on = due + timedelta(days=9)
    difference = round(amount_cents * random.uniform(-1.5, 1.5))
    if difference >= 0:
        paid_after = 14 if random.random() < 0.93 else None
        return events.of("invoice", billed_on + timedelta(days=14), difference, paid_after)
    return events.of("reimbursement", billed_on + timedelta(days=5), -difference, 0, "credit")


def _last_bill(billed_in: int, today: date) -> date:
    this_year = date(today.year, billed_in, 15)
    return this_year if this_year <= today else date(today.year - 1, billed_in, 15)


def _months(today: date, day: int, offsets: range) -> list[date]:
    first = today.replace(day=1)
    return [add_months(first, offset).replace(day=day) for offset in offsets]


def add_months(first: date, months: int) -> date:
    """The first of the month so many months later."""
    years, month = divmod(first.month - 1 + months, 12)
    return date(first.year + years, month + 1, 1)
