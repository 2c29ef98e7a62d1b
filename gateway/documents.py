"""Documents as the text that people edit: JSON laid out to be read, lines by path, and what differs between two."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

LONGEST_ON_A_LINE = 100
LARGEST = 400_000
CONTEXT = 3
COLON = re.compile(r"\s*:")
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


class Unreadable(Exception):
    """A text that is no JSON object; `line` counts from 1."""

    def __init__(self, key: str, line: int = 1) -> None:
        super().__init__(key)
        self.key = key
        self.line = line


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a difference with its number before and after."""

    kind: Literal["same", "gone", "new", "gap"]
    text: str
    before: int | None = None
    after: int | None = None


def read_text(text: str) -> dict[str, Any]:
    """The document of a text. Raises Unreadable."""
    if len(text) > LARGEST:
        raise Unreadable("definitions.too_large")
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise Unreadable("definitions.no_json", error.lineno) from error
    except RecursionError as error:
        raise Unreadable("definitions.too_deep") from error
    if not isinstance(found, dict):
        raise Unreadable("definitions.no_object")
    return found


def lay_out(content: Any, indent: int = 0) -> str:
    """JSON with everything that is short on one line."""
    short = json.dumps(content, ensure_ascii=False)
    if not isinstance(content, dict | list) or not content:
        return short
    if indent and len(short) + indent <= LONGEST_ON_A_LINE:
        return short
    inner = " " * (indent + 2)
    if isinstance(content, Mapping):
        parts = [f"{json.dumps(str(key), ensure_ascii=False)}: {lay_out(content[key], indent + 2)}" for key in content]
    else:
        parts = [lay_out(each, indent + 2) for each in content]
    opened, closed = ("{", "}") if isinstance(content, Mapping) else ("[", "]")
    return opened + "\n" + ",\n".join(inner + part for part in parts) + "\n" + " " * indent + closed


def line_of(text: str, path: str) -> int:
    """The line of a path such as `steps.0.id` in a text of JSON; that of the nearest part that is there."""
    lines = dict(_places(text))
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return lines.get(path, 1)


def _places(text: str) -> Iterator[tuple[str, int]]:
    """Every key and every item with its line. The text has been read before: it is JSON."""
    place: list[str | int] = []
    line, position = 1, 0
    for token in TOKEN.finditer(text):
        line += text.count("\n", position, token.start())
        position, word = token.start(), token.group()
        if word in "}]":
            place.pop()
        elif word == "," and isinstance(place[-1], int):
            place[-1] += 1
        elif COLON.match(text, token.end()):
            place[-1] = json.loads(word)
            yield ".".join(map(str, place)), line
        elif word not in ",:":
            if place and isinstance(place[-1], int):
                yield ".".join(map(str, place)), line
            if word in "{[":
                place.append("" if word == "{" else 0)


def difference(before: str, after: str) -> list[Row]:
    """What differs between two texts, with a few lines around it; nothing when they are the same."""
    old, new = before.splitlines(), after.splitlines()
    rows: list[Row] = []
    for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(CONTEXT):
        if rows:
            rows.append(Row("gap", ""))
        for tag, start, end, new_start, new_end in group:
            if tag == "equal":
                rows += [Row("same", old[at], at + 1, new_start + at - start + 1) for at in range(start, end)]
                continue
            rows += [Row("gone", old[at], before=at + 1) for at in range(start, end)]
            rows += [Row("new", new[at], after=at + 1) for at in range(new_start, new_end)]
    return rows
