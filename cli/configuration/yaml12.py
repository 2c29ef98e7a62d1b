"""YAML as its version 1.2 reads it: `on`, `yes` and `2027-01-31` are texts, keys are texts, and no key comes twice.

Nodes are kept beside the values, so that a mistake at a path can be told with its line.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MAXIMUM_NODES = 100_000
MAXIMUM_DEPTH = 60
TAG = "tag:yaml.org,2002:"
SCALARS = {
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "int": re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,20}|0x[0-9a-fA-F]{1,15}"),
    "float": re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"),
    "null": re.compile(r"~|null|Null|NULL|"),
}
"""What plain words are, of the core schema (YAML 1.2.2, 10.3.2), without .inf and .nan, which JSON has not."""
KNOWN_TAGS = {f"{TAG}{name}" for name in (*SCALARS, "str", "timestamp", "merge", "value")}


@dataclass(frozen=True)
class Fault:
    """Something wrong in a file: the line, counted from 1, the path where there is one, and what it is."""

    line: int
    path: str
    detail: str


class Faulty(Exception):
    """A text that is no document."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


def compose(text: str) -> list[Node]:
    """The documents of a text as nodes. Raises Faulty for what is no YAML."""
    try:
        return [node for node in YAML(typ="safe", pure=True).compose_all(text) if node is not None]
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise Faulty(Fault(mark.line + 1 if mark else 1, "", said)) from error
    except YAMLError as error:
        raise Faulty(Fault(1, "", str(error).partition("\n")[0])) from error
    except RecursionError as error:
        raise Faulty(Fault(1, "", f"is nested more than {MAXIMUM_DEPTH} levels deep")) from error


def kind_of_word(text: str) -> str:
    """What a plain word is: bool, int, float, null or str."""
    return next((kind for kind, pattern in SCALARS.items() if pattern.fullmatch(text)), "str")


def line_of(node: Node) -> int:
    return int(node.start_mark.line) + 1


class Values:
    """Makes the values of nodes, and collects what is wrong with them."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._nodes = 0

    def of(self, node: Node, path: str = "", depth: int = 0) -> Any:
        self._nodes += 1
        if self._nodes > MAXIMUM_NODES or depth > MAXIMUM_DEPTH:
            limit = f"{MAXIMUM_NODES} values" if self._nodes > MAXIMUM_NODES else f"{MAXIMUM_DEPTH} levels"
            raise Faulty(Fault(line_of(node), path, f"has more than {limit}"))
        match node:
            case MappingNode():
                return self._mapping(node, path, depth)
            case SequenceNode():
                return [
                    self.of(each, f"{path}.{place}".lstrip("."), depth + 1) for place, each in enumerate(node.value)
                ]
            case ScalarNode():
                return self._scalar(node, path)
            case _:
                raise Faulty(Fault(line_of(node), path, "is nothing that a document can hold"))

    def _mapping(self, node: MappingNode, path: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.faults.append(Fault(line_of(key), path, "a key must be a text"))
                continue
            below = f"{path}.{key.value}".lstrip(".")
            if key.value in found:
                self.faults.append(Fault(line_of(key), below, "is there twice"))
            found[key.value] = self.of(value, below, depth + 1)
        return found

    def _scalar(self, node: ScalarNode, path: str) -> Any:
        text = node.value
        if node.tag not in KNOWN_TAGS:
            self.faults.append(Fault(line_of(node), path, f"{node.tag} is nothing that a document can hold"))
            return None
        match "str" if node.style else kind_of_word(text):
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text, 0 if text[:2] in {"0o", "0x"} else 10)
            case "float" if math.isfinite(float(text)):
                return float(text)
            case "float":
                self.faults.append(Fault(line_of(node), path, f"{text[:40]} is larger than a number can be"))
                return None
            case "null":
                return None
            case _:
                return text


def find_line(node: Node, path: str) -> int:
    """The line of what stands at a path such as `steps.0.title`; of its nearest part that there is, otherwise."""
    line, parts = line_of(node), path.split(".") if path else []
    while parts:
        found = _step(node, parts)
        if found is None:
            return line
        line, node, parts = found
    return line


def _step(node: Node, parts: list[str]) -> tuple[int, Node, list[str]] | None:
    """The line and node of the longest key (keys may have dots in them) or of the index, and the rest of the path."""
    if isinstance(node, SequenceNode):
        if parts[0].isdecimal() and int(parts[0]) < len(node.value):
            below = node.value[int(parts[0])]
            return line_of(below), below, parts[1:]
    elif isinstance(node, MappingNode):
        keys = {key.value: (key, value) for key, value in node.value if isinstance(key, ScalarNode)}
        for length in range(len(parts), 0, -1):
            if found := keys.get(".".join(parts[:length])):
                return line_of(found[0]), found[1], parts[length:]
    return None
