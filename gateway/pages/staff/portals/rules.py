"""Rules as a small builder: conditions become rows that a form can have, and rows become conditions again.

What the builder has no row for (any, not, nested ones) is a row of code, so that nothing is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.visit import Form

Condition = dict[str, Any]
Shapes = Mapping[str, Mapping[str, Any]]
"""Documents of schemas by entity."""

MOST_ROWS = 50
WORDS = ("is", "is_not", "contains")
PRESENT = ("filled", "empty")
TESTS: Mapping[str, tuple[str, ...]] = {
    "text": (*WORDS, *PRESENT),
    "email": (*WORDS, *PRESENT),
    "phone": (*WORDS, *PRESENT),
    "date": ("before", "after", *PRESENT),
    "number": ("is", "is_not", "greater", "less", *PRESENT),
    "boolean": ("true", "false"),
    "period": PRESENT,
    "choice": ("among", "not_among", *PRESENT),
    "choices": ("contains", *PRESENT),
    "code": (),
}
WITHOUT_VALUE = {*PRESENT, "true", "false"}


@dataclass(frozen=True)
class Row:
    """One condition in a form. `values` are chosen options; `day` is "today" or "date", whose date is `value`."""

    path: str
    type: str
    test: str = ""
    value: str = ""
    values: tuple[str, ...] = ()
    day: str = "today"

    @property
    def entity(self) -> str:
        return self.path.partition(".")[0]

    @property
    def attribute(self) -> str:
        return self.path.partition(".")[2]

    @property
    def tests(self) -> tuple[str, ...]:
        return TESTS[self.type]


def rows_of(conditions: Iterable[Condition], shapes: Shapes) -> list[Row]:
    return [_row(condition, shapes) for condition in conditions]


def conditions_of(rows: Iterable[Row]) -> list[Any]:
    """The conditions of rows. Code that is no JSON stays a text, so that the API says what is wrong."""
    return [_condition(row) for row in rows]


def new_row(path: str, shapes: Shapes) -> Row:
    """A row to begin with; without a path a row of code."""
    type_ = type_of(path, shapes) if path else "code"
    return Row(path, type_, next(iter(TESTS[type_]), ""), value="" if path else "{}")


def typed_rows(form: Form, shapes: Shapes) -> list[Row]:
    """The rows of a form in their order, those of `rules.0.path`, `rules.0.test` ... up to the first that is not."""
    rows = []
    for number in range(MOST_ROWS):
        name = f"rules.{number}"
        if f"{name}.path" not in form:
            break
        path = form[f"{name}.path"]
        rows.append(
            Row(
                path,
                type_of(path, shapes) if path else "code",
                form[f"{name}.test"],
                form[f"{name}.value"],
                tuple(form.all(f"{name}.values")),
                form.get(f"{name}.day", "today"),
            )
        )
    return rows


def type_of(path: str, shapes: Shapes) -> str:
    """The type of an attribute; what no schema knows is a text."""
    described = described_of(path, shapes)
    type_ = str(described.get("type", "text"))
    return type_ if type_ in TESTS else "text"


def described_of(path: str, shapes: Shapes) -> Mapping[str, Any]:
    entity, _, name = path.partition(".")
    found: Mapping[str, Any] = shapes.get(entity, {}).get("attributes", {}).get(name, {})
    return found


def options_of(path: str, shapes: Shapes) -> list[tuple[str, Mapping[str, str]]]:
    """The values of a choice with their labels."""
    options = described_of(path, shapes).get("options", {})
    labels = options if isinstance(options, dict) else {each: {"de": each, "en": each} for each in options}
    return list(labels.items())


def _condition(row: Row) -> Any:
    match row.test:
        case _ if row.type == "code":
            return _read(row.value)
        case "filled" | "empty":
            test: Any = {"exists": row.test == "filled"}
        case "true" | "false":
            test = {"is": row.test == "true"}
        case "among" | "not_among":
            return _among(row)
        case "before" | "after":
            test = {row.test: "today" if row.day == "today" else row.value}
        case _ if row.type == "number":
            test = {row.test: _number(row.value)}
        case _:
            test = {row.test: row.value}
    return {row.path: test}


def _among(row: Row) -> Condition:
    """One of the chosen options, or none of them."""
    if len(row.values) == 1:
        return {row.path: {"is" if row.test == "among" else "is_not": row.values[0]}}
    among = {row.path: {"one_of": list(row.values)}}
    return among if row.test == "among" else {"not": among}


def _row(condition: Condition, shapes: Shapes) -> Row:
    ((path, test),) = condition.items()
    negated = path == "not" and isinstance(test, dict)
    if negated:
        ((path, test),) = test.items()
    found = _of_test(path, type_of(path, shapes), test) if isinstance(test, dict) else None
    if negated:
        found = Row(path, "choice", "not_among", values=found.values) if found and "one_of" in test else None
    return found or Row("", "code", value=json.dumps(condition, ensure_ascii=False, indent=2))


def _of_test(path: str, type_: str, test: Mapping[str, Any]) -> Row | None:
    """The row of a test where its type has one."""
    ((operator, wanted),) = test.items()
    made: Row | None = None
    match operator, wanted:
        case "exists", bool():
            made = Row(path, type_, "filled" if wanted else "empty")
        case "is", bool() if type_ == "boolean":
            made = Row(path, type_, "true" if wanted else "false")
        case (("is" | "is_not"), str()) if type_ == "choice":
            made = Row(path, type_, "among" if operator == "is" else "not_among", values=(wanted,))
        case "one_of", list() if type_ == "choice" and all(isinstance(each, str) for each in wanted):
            made = Row(path, type_, "among", values=tuple(wanted))
        case (("before" | "after"), str()) if type_ == "date" and wanted != "now" and "T" not in wanted:
            made = Row(path, type_, operator, value="" if wanted == "today" else wanted)
            made = made if wanted == "today" else Row(path, type_, operator, wanted, day="date")
        case "contains", str() if type_ == "choices":
            made = Row(path, type_, "contains", value=wanted)
        case (("is" | "is_not" | "greater" | "less"), int() | float()) if type_ == "number" and wanted is not True:
            made = Row(path, type_, operator, value=f"{wanted:g}")
        case (("is" | "is_not" | "contains"), str()) if type_ in {"text", "email", "phone"}:
            made = Row(path, type_, operator, value=wanted)
    return made


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _number(text: str) -> float | int | str:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


def moved(items: Sequence[Any], number: int, steps: int) -> list[Any]:
    """The items with one of them earlier or later by so many places; what would leave the list stays."""
    order = list(items)
    there = number + steps
    if 0 <= number < len(order) and 0 <= there < len(order):
        order.insert(there, order.pop(number))
    return order
