"""Evaluates conditions (contracts/conditions.py) over what is known: pure, and the same wherever a rule is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from chassis.texts import ZONE
from contracts.common import Json

Facts = Mapping[str, Mapping[str, Any]]
"""Attributes by what they belong to: `{"contract": {"status": "active"}, "contact": {...}, "answers": {...}}`."""


def holds(conditions: Iterable[Mapping[str, Json]], facts: Facts, now: datetime) -> bool:
    """Whether all conditions hold. What is not known holds no test but `is_not` and `exists: false`."""
    return all(_holds(condition, facts, now) for condition in conditions)


def _holds(condition: Mapping[str, Any], facts: Facts, now: datetime) -> bool:
    ((key, test),) = condition.items()
    match key:
        case "any":
            return any(_holds(each, facts, now) for each in test)
        case "all":
            return holds(test, facts, now)
        case "not":
            return not holds(test if isinstance(test, list | tuple) else [test], facts, now)
        case _:
            ((operator, wanted),) = test.items()
            return _passes(find(key, facts), operator, wanted, now)


def find(path: str, facts: Facts) -> Any:
    """The value at a path such as `contract.status`; None where there is nothing."""
    value: Any = facts
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _passes(value: Any, operator: str, wanted: Any, now: datetime) -> bool:
    match operator:
        case "exists":
            return bool((value not in (None, "", [], ())) == wanted)
        case "is_not":
            return bool(value != wanted)
        case _ if value is None:
            return False
        case "is":
            return bool(value == wanted)
        case "one_of":
            return value in wanted
        case "contains":
            return isinstance(value, str | list | tuple) and isinstance(wanted, str) and wanted in value
        case "greater" | "less":
            return _is_number(value) and (value > wanted if operator == "greater" else value < wanted)
        case _:
            return _compared(value, wanted, now) == (1 if operator == "after" else -1)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _compared(value: Any, wanted: str, now: datetime) -> int:
    """-1, 0 or 1; dates are compared as days in the zone of the portals; 0 for what is no date."""
    mine, other = _day_or_time(value), now if wanted in {"now", "today"} else _day_or_time(wanted)
    if mine is None or other is None:
        return 0
    if not (isinstance(mine, datetime) and isinstance(other, datetime)) or wanted == "today":
        mine, other = _day(mine), _day(other)
    return (mine > other) - (mine < other)


def _day_or_time(value: Any) -> date | datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return date.fromisoformat(value) if len(value) == len("2027-01-31") else _aware(datetime.fromisoformat(value))
    except ValueError:
        return None


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=ZONE)


def _day(value: date | datetime) -> date:
    if not isinstance(value, datetime):
        return value
    try:
        return value.astimezone(ZONE).date()
    except OverflowError:
        return value.date()
