"""What effects are told in: `answers.x`, `context.x`, `contact.x`, `today`, constants, and texts with these in braces.

Whatever is no such path is meant literally; `{value: ...}` is the literal form of a text that would be taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from string import Formatter

from contracts.common import Json

PATH = re.compile(r"([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)")
TODAY = "today"
LITERAL = "value"
MAXIMUM_TEXT = 4_000


@dataclass(frozen=True, slots=True)
class Path:
    """A value of the answers, or an attribute of a record."""

    root: str
    name: str

    def __str__(self) -> str:
        return f"{self.root}.{self.name}"


@dataclass(frozen=True, slots=True)
class Today:
    """The day on which it is submitted."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A value as it stands in the document."""

    value: Json


@dataclass(frozen=True, slots=True)
class Template:
    """A text with values in it."""

    parts: tuple[str | Path | Today, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """A text whose braces do not match, or hold something else than a path."""


Expression = Path | Today | Constant | Template | Broken


def parse(raw: Json) -> Expression:
    """The meaning of a value in an effect."""
    match raw:
        case dict() if set(raw) == {LITERAL}:
            return Constant(raw[LITERAL])
        case str() if "{" in raw or "}" in raw:
            return _template(raw)
        case str():
            return _single(raw) or Constant(raw)
        case _:
            return Constant(raw)


def paths(expression: Expression) -> Iterator[Path]:
    """The paths that an expression asks for."""
    match expression:
        case Path():
            yield expression
        case Template(parts):
            yield from (part for part in parts if isinstance(part, Path))


def evaluate(
    expression: Expression, facts: Mapping[str, Mapping[str, Json]], today: date, say: Callable[[Path, Json], str]
) -> Json:
    """The value of an expression; None where there is nothing. `say` puts a value into a text for people."""
    match expression:
        case Path(root, name):
            return facts.get(root, {}).get(name)
        case Today():
            return today.isoformat()
        case Constant(value):
            return value
        case Template(parts):
            return "".join(_said(part, facts, today, say) for part in parts)[:MAXIMUM_TEXT]
        case Broken():
            return None


def _said(
    part: str | Path | Today,
    facts: Mapping[str, Mapping[str, Json]],
    today: date,
    say: Callable[[Path, Json], str],
) -> str:
    match part:
        case str():
            return part
        case Today():
            return say(Path("", TODAY), today.isoformat())
        case Path(root, name):
            value = facts.get(root, {}).get(name)
            return "" if value is None else say(part, value)


def _single(text: str) -> Path | Today | None:
    if text == TODAY:
        return Today()
    found = PATH.fullmatch(text)
    return Path(*found.groups()) if found else None


def _template(text: str) -> Expression:
    parts: list[str | Path | Today] = []
    try:
        for literal, name, form, conversion in Formatter().parse(text):
            if literal:
                parts.append(literal)
            if name is None:
                continue
            inner = _single(name)
            if inner is None or form or conversion:
                return Broken()
            parts.append(inner)
    except ValueError:
        return Broken()
    return Template(tuple(parts))
