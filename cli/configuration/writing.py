"""Documents as YAML that people like to read and that is the same every time: short things on one line, order kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from cli.configuration.kinds import Kind
from cli.configuration.yaml12 import TAG, kind_of_word

WIDTH = 118
LONGEST_ON_A_LINE = 100


def dump(kind: Kind, content: Mapping[str, Any]) -> str:
    """The document, with what names it first."""
    first = [name for name in (kind.name, "portal") if name in content]
    ordered = {name: content[name] for name in [*first, *(name for name in content if name not in first)]}
    dumper_node = _Representer().node(ordered)
    text: str = yaml.serialize(dumper_node, Dumper=_Dumper, allow_unicode=True, width=WIDTH, indent=2)
    return text


def in_order_of(content: Any, model: Any) -> Any:
    """The same content, its keys in the order of another one, so that a difference shows only what differs."""
    if isinstance(content, dict) and isinstance(model, dict):
        names = [*(name for name in model if name in content), *(name for name in content if name not in model)]
        return {name: in_order_of(content[name], model.get(name)) for name in names}
    if isinstance(content, list) and isinstance(model, list):
        models = [*model, *[None] * len(content)]
        return [in_order_of(each, models[place]) for place, each in enumerate(content)]
    return content


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.2 would take for something else than a text."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        if kind is ScalarNode and implicit[0]:
            return TAG + kind_of_word(value)
        found: str = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]  # PyYAML has no types here
        return found


class _Representer(yaml.representer.SafeRepresenter):
    """Makes nodes whose style says how they are written."""

    def __init__(self) -> None:
        super().__init__(sort_keys=False)

    def node(self, content: Any) -> Node:
        node = self.represent_data(content)
        _lay_out(node, outermost=True)
        return node

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> Node:
        lines = "\n" in text and all(line == line.rstrip() for line in text.split("\n")) and "\t" not in text
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if lines else None)


_Representer.add_representer(str, _Representer.represent_text)


def _lay_out(node: Node, outermost: bool = False) -> int:
    """Decides flow or block for a node and all below it; returns about how long it is on one line."""
    if isinstance(node, ScalarNode):
        return 10_000 if node.style == "|" else len(node.value) + 2
    if isinstance(node, MappingNode):
        length = sum(_lay_out(key) + _lay_out(value) + 2 for key, value in node.value)
    elif isinstance(node, SequenceNode):
        length = sum(_lay_out(each) + 2 for each in node.value)
    else:
        return 0
    node.flow_style = length <= LONGEST_ON_A_LINE and not outermost
    return length + 2
