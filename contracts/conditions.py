"""The one condition language: what rules of actions, fields, steps and permissions are written in.

A condition is a mapping of one key: a path with a test, `{contract.status: {is: active}}`, or `any`, `all` or `not`
over conditions. In a list all must hold. How they are evaluated is in chassis/conditions.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from contracts.common import Json

Operator = Literal["is", "is_not", "one_of", "contains", "greater", "less", "before", "after", "exists"]
OPERATORS: tuple[Operator, ...] = get_args(Operator)
PATH = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*){1,3}")
MAXIMUM_CONDITIONS = 50
MAXIMUM_NESTING = 5

_Place = tuple[int | str, ...]


def check(conditions: Any) -> Any:
    """The conditions as they are. Raises ValidationError that names the place of every mistake."""
    mistakes = list(_mistakes(conditions, (), 0))
    if mistakes:
        raise ValidationError.from_exception_data("conditions", mistakes)
    return conditions


def paths(conditions: Iterable[Mapping[str, Json]]) -> Iterator[str]:
    """Every path that these conditions ask for, in their order; one may occur more than once."""
    for path, _ in places(conditions):
        yield path


def places(conditions: Iterable[Mapping[str, Any]], place: _Place = ()) -> Iterator[tuple[str, _Place]]:
    """Every path that these conditions ask for, with its place in them, e.g. `(0, "any", 1)`."""
    for number, condition in enumerate(conditions):
        ((key, test),) = condition.items()
        here = (*place, number)
        if key in {"any", "all"} or (key == "not" and isinstance(test, list | tuple)):
            yield from places(test, (*here, key))
        elif key == "not":
            for path, (_, *deeper) in places([test]):
                yield path, (*here, key, *deeper)
        else:
            yield key, here


def _mistakes(conditions: Any, place: _Place, nesting: int) -> Iterator[InitErrorDetails]:
    if not isinstance(conditions, list | tuple):
        yield _mistake("condition_list", place)
    elif len(conditions) > MAXIMUM_CONDITIONS or nesting > MAXIMUM_NESTING:
        yield _mistake("condition_size", place, most=MAXIMUM_CONDITIONS, deepest=MAXIMUM_NESTING)
    else:
        for number, condition in enumerate(conditions):
            yield from _mistakes_of_one(condition, (*place, number), nesting)


def _mistakes_of_one(condition: Any, place: _Place, nesting: int) -> Iterator[InitErrorDetails]:
    if not isinstance(condition, dict) or len(condition) != 1:
        yield _mistake("condition_form", place)
        return
    ((key, test),) = condition.items()
    if key in {"any", "all"} or (key == "not" and isinstance(test, list | tuple)):
        yield from _mistakes(test, (*place, key), nesting + 1)
    elif key == "not" and nesting < MAXIMUM_NESTING:
        yield from _mistakes_of_one(test, (*place, key), nesting + 1)
    elif key == "not":
        yield _mistake("condition_size", place, most=MAXIMUM_CONDITIONS, deepest=MAXIMUM_NESTING)
    elif not isinstance(key, str) or not PATH.fullmatch(key):
        yield _mistake("condition_path", place, found=str(key)[:60])
    else:
        yield from _mistakes_of_test(test, (*place, key))


def _mistakes_of_test(test: Any, place: _Place) -> Iterator[InitErrorDetails]:
    if not isinstance(test, dict) or len(test) != 1:
        yield _mistake("condition_test", place, operators=list(OPERATORS))
        return
    ((operator, value),) = test.items()
    if operator not in OPERATORS:
        yield _mistake("condition_operator", place, found=str(operator)[:60], operators=list(OPERATORS))
    elif not _fits(operator, value):
        yield _mistake(f"condition_{operator}", (*place, operator))


def _fits(operator: str, value: Any) -> bool:
    match operator:
        case "one_of":
            return isinstance(value, list | tuple)
        case "exists":
            return isinstance(value, bool)
        case "contains":
            return isinstance(value, str)
        case "greater" | "less":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "before" | "after":
            return value in ("now", "today") or _is_date(value)
        case _:
            return True


def _is_date(value: Any) -> bool:
    if not isinstance(value, str) or not re.match(r"\d{4}-\d{2}-\d{2}(T|$)", value):
        return False
    try:
        return bool(datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value))
    except ValueError:
        return False


SENTENCES = {
    "condition_list": "must be a list of conditions",
    "condition_size": "may have at most {most} conditions, nested at most {deepest} deep",
    "condition_form": "must be one path with one test, e.g. contract.status: is: active",
    "condition_path": "'{found}' is no path such as contract.status",
    "condition_test": "must be one test, one of {operators}",
    "condition_operator": "'{found}' is no test; there are {operators}",
    "condition_one_of": "one_of needs a list",
    "condition_exists": "exists needs true or false",
    "condition_contains": "contains needs a text",
    "condition_greater": "greater needs a number",
    "condition_less": "less needs a number",
    "condition_before": "before needs now, today or a date such as 2027-01-31",
    "condition_after": "after needs now, today or a date such as 2027-01-31",
}
"""What can be wrong with conditions; chassis/documents.yaml says the same in every language."""


def _mistake(kind: str, place: _Place, **facts: Any) -> InitErrorDetails:
    error = PydanticCustomError(kind, SENTENCES[kind], facts)
    return InitErrorDetails(type=error, loc=place, input=None)


Condition = Annotated[dict[str, Json], Field(examples=[{"contract.status": {"is": "active"}}])]
When = Annotated[tuple[Condition, ...], AfterValidator(check)]
"""Conditions that must all hold; an empty list always does."""
