"""When a contract can end, by its terms and by law: the same pure functions decide and give the preview."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from chassis.errors import Rejected
from contracts.billing import Basis
from services.billing.cancellations.periods import Period, add_months, last_day
from services.billing.cancellations.state import Terms

Ground = Literal["ordinary", "moving_out", "price_change"]
"""Why a contract may end: by its own terms, or for a reason for which the law lets it end sooner."""

MONTH = Period(months=1)
BASIC_SUPPLY = Period(days=14)
MOVING_OUT = Period(days=42)
NO_NOTICE = Period()
FURTHEST_YEARS = 50


@dataclass(frozen=True, slots=True)
class Ending:
    """A possible last day of a contract, and why it is possible."""

    ends_on: date
    basis: Basis
    notice: Period


def first_ending(terms: Terms, ground: Ground, today: date, wished: date | None = None) -> Ending:
    """The first possible last day that is not before the wished one, for a notice given today.

    Raises Rejected when the contract cannot end for this reason, or when the wish is no day that can be wished for.
    """
    if wished is not None and wished < today:
        raise Rejected("cancellation_in_past", ends_on=wished)
    if wished is not None and wished > add_months(today, FURTHEST_YEARS * 12):
        raise Rejected("cancellation_too_far", ends_on=wished, years=FURTHEST_YEARS)
    match ground:
        case "moving_out":
            return _moving_out(terms, today, wished)
        case "price_change":
            return _price_change(terms, today)
        case _:
            return _ordinary(terms, today, wished)


def _ordinary(terms: Terms, today: date, wished: date | None) -> Ending:
    if terms.basic_supply:
        return _basic_supply(terms, today, wished)
    if terms.notice is None:
        raise Rejected("contract_terms_unknown")
    if not terms.renewal_months and not terms.initial_term_months:
        return _open_ended(terms, terms.notice, today, wished)
    if terms.starts_on is None:
        raise Rejected("contract_terms_unknown")
    if terms.renewal_months:
        return _end_of_a_term(terms, terms.starts_on, terms.notice, today, wished)
    return _open_ended(terms, terms.notice, today, wished)


def _basic_supply(terms: Terms, today: date, wished: date | None) -> Ending:
    """Two weeks' notice, to any day (StromGVV 20(1), GasGVV 20(1))."""
    return Ending(_latest(BASIC_SUPPLY.after(today), wished, terms.starts_on), "basic_supply", BASIC_SUPPLY)


def _open_ended(terms: Terms, agreed: Period, today: date, wished: date | None) -> Ending:
    """To the end of the initial term, and to any day after it. More than a month's notice binds no consumer.

    BGB 309 No. 9: a contract goes on for an indefinite time only, with a notice of at most one month, and no longer
    notice holds before the end of the initial term.
    """
    notice = min(agreed, MONTH, key=lambda period: period.after(today))
    earliest = _latest(notice.after(today), terms.starts_on)
    initial = terms.initial_end
    if initial and max(earliest, wished or earliest) <= initial:
        return Ending(initial, "initial_term", notice)
    return Ending(_latest(earliest, wished), "open_ended", notice)


def _end_of_a_term(terms: Terms, starts_on: date, notice: Period, today: date, wished: date | None) -> Ending:
    """To the end of the initial term or of one of its renewals.

    Only contracts which BGB 309 No. 9 does not cover renew for a fixed time: those of businesses, and those of
    consumers from before March 2022. Their notice is the one agreed on.
    """
    renewal_months, initial_months = terms.renewal_months, terms.initial_term_months or terms.renewal_months
    earliest = _latest(notice.after(today), wished)
    gone = (earliest.year - starts_on.year) * 12 + earliest.month - starts_on.month
    renewals = max(0, (gone - initial_months) // renewal_months)
    end = last_day(starts_on, initial_months + renewals * renewal_months)
    while end < earliest:
        renewals += 1
        end = last_day(starts_on, initial_months + renewals * renewal_months)
    return Ending(end, "renewal" if renewals else "initial_term", notice)


def _moving_out(terms: Terms, today: date, wished: date | None) -> Ending:
    """Six weeks' notice, to the day of the move or later (EnWG 41b(5)), or sooner where the terms allow it anyway."""
    by_law = Ending(_latest(MOVING_OUT.after(today), wished, terms.starts_on), "moving_out", MOVING_OUT)
    try:
        return min(_ordinary(terms, today, wished), by_law, key=lambda ending: ending.ends_on)
    except Rejected:
        return by_law


def _price_change(terms: Terms, today: date) -> Ending:
    """Without notice, to the moment at which an announced change takes effect (EnWG 41(5))."""
    changes_on = terms.price_change_on
    if changes_on is None or changes_on <= today:
        raise Rejected("no_price_change")
    return Ending(changes_on - timedelta(days=1), "price_change", NO_NOTICE)


def special_ground(terms: Terms, today: date, wished: date | None) -> Ground:
    """Which ground is meant by who only says that his is a special one: the announced price change, or he moves."""
    changes_on = terms.price_change_on
    if changes_on is None or changes_on <= today:
        return "moving_out"
    return "price_change" if wished in {None, changes_on - timedelta(days=1)} else "moving_out"


def ending_on(terms: Terms, ground: Ground, today: date, wished: date | None) -> Ending:
    """The ending on exactly the wished day, or the next possible one when none is wished. Raises Rejected."""
    first = first_ending(terms, ground, today)
    if wished is None:
        return first
    found = first_ending(terms, ground, today, wished)
    if wished < first.ends_on:
        facts = {"ends_on": wished, "next_possible_on": first.ends_on, "notice": str(first.notice)}
        raise Rejected("before_next_possible_date", **facts)
    if found.ends_on != wished:
        facts = {"ends_on": wished, "next_possible_on": found.ends_on, "notice": str(found.notice)}
        raise Rejected("not_a_possible_end", **facts)
    return found


def _latest(*days: date | None) -> date:
    return max(day for day in days if day is not None)
