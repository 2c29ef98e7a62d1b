"""What an editor may write into a mail: a list of what is allowed, so that everything else is refused, not run.

Jinja's sandbox keeps templates away from Python; it does not keep them from using up time and memory, and does not
tell the editor what is wrong. So a wording is read first: names that are known, few filters, no arithmetic, no calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from jinja2 import TemplateSyntaxError, nodes

from services.notifications.templates.render import environment

FILTERS = {"money", "date", "upper", "lower", "trim", "length"}
HELPERS = {"fact", "amounts"}
ATTRIBUTES_OF_LOOP = {"first", "last", "index", "length"}
TESTS = {"defined", "none"}
HARMLESS = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
)
MAXIMUM_NODES = 2_000
MAXIMUM_DEPTH = 30
MAXIMUM_LOOPS = 2
MAXIMUM_CONSTANT = 500
TAGS: Mapping[str, frozenset[str]] = {
    "mj-text": frozenset({"mj-class", "align", "font-weight", "padding"}),
    "mj-button": frozenset({"href", "css-class", "align", "padding"}),
    "mj-table": frozenset({"mj-class", "padding"}),
    "mj-divider": frozenset({"padding", "border-width", "border-color"}),
    "mj-spacer": frozenset({"height"}),
    "mj-raw": frozenset(),
    "a": frozenset({"href"}),
    **dict.fromkeys(("p", "br", "strong", "b", "em", "i", "u", "ul", "ol", "li", "span"), frozenset[str]()),
    **dict.fromkeys(("tr", "td", "th", "tbody"), frozenset({"align"})),
}
OUTER = {"mj-text", "mj-button", "mj-table", "mj-divider", "mj-spacer", "mj-raw"}
EMPTY = {"br", "mj-divider", "mj-spacer"}
STATEMENT, VALUE = "\N{SECTION SIGN}", "\N{DEGREE SIGN}"
"""Stand for what Jinja does, while tags are read; neither can be part of a target."""
RAW = re.compile(r"\{%[-+]?\s*raw\b")
"""What follows is shown as it stands, whatever it looks like."""
JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
FORBIDDEN = re.compile(r"<[!?]|mj-include|</?mj-(?:style|head|body|attributes)|&(?!#?\w{1,20};)", re.IGNORECASE)
TARGET = re.compile(r"\{\{\s*link\s*\}\}|(?:https://|mailto:)[!#-&(-;=?-z|~]+|tel:[+0-9 ()/-]+")


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something that may not be there: a code of the texts, its facts, and the line."""

    code: str
    line: int
    facts: Mapping[str, object] = field(default_factory=dict)


def read_source(source: str, known: Mapping[str, Any], *, helpers: bool) -> tuple[list[Flaw], bool]:
    """What is wrong with a template, and whether it always shows `{{ link }}`. `known`: sample values by name."""
    for name, unread in (("{#", re.search(r"\{#", source)), ("raw", RAW.search(source))):
        if unread:
            return [Flaw("template_not_allowed", _line(source, unread.start()), {"name": name})], False
    try:
        tree = environment("en", escape=True).parse(source)
    except (TemplateSyntaxError, RecursionError) as error:
        line = error.lineno if isinstance(error, TemplateSyntaxError) else 1
        return [Flaw("template_syntax", line, {"problem": str(error)[:200]})], False
    reader = _Reader(helpers=helpers)
    try:
        flaws = list(reader.read(tree, dict(known), 0))
    except _TooMuch:
        flaws = [Flaw("template_too_complex", 1, {})]
    return flaws, _always_shows_link(tree)


class _TooMuch(Exception):
    """More than any mail needs."""


class _Reader:
    """Walks a template and finds what is not on the list."""

    def __init__(self, *, helpers: bool) -> None:
        self._helpers = helpers
        self._seen = 0
        self._loops = 0

    def read(self, node: nodes.Node, known: dict[str, Any], depth: int) -> Iterator[Flaw]:
        self._seen += 1
        if self._seen > MAXIMUM_NODES or depth > MAXIMUM_DEPTH:
            raise _TooMuch
        if isinstance(node, HARMLESS):
            for child in node.iter_child_nodes():
                yield from self.read(child, known, depth + 1)
        else:
            yield from self._checked(node, known, depth)

    def _checked(self, node: nodes.Node, known: dict[str, Any], depth: int) -> Iterator[Flaw]:
        match node:
            case nodes.Name():
                yield from _name(node, known)
            case nodes.Getattr():
                yield from _attribute(node, known)
            case nodes.Const():
                yield from _constant(node)
            case nodes.Getitem():
                yield from self._slice(node, known, depth)
            case nodes.Filter():
                yield from self._filter(node, known, depth)
            case nodes.Test():
                yield from self._test(node, known, depth)
            case nodes.Call():
                yield from self._call(node, known, depth)
            case nodes.For():
                yield from self._loop(node, known, depth)
            case _:
                yield _not_allowed(node)

    def _slice(self, node: nodes.Getitem, known: dict[str, Any], depth: int) -> Iterator[Flaw]:
        """The first so many of a list."""
        bounds = [node.arg.start, node.arg.stop, node.arg.step] if isinstance(node.arg, nodes.Slice) else []
        plain = all(
            bound is None or (isinstance(bound, nodes.Const) and isinstance(bound.value, int)) for bound in bounds
        )
        if not bounds or not plain or not isinstance(_value(node.node, known), list):
            yield _not_allowed(node)
        else:
            yield from self.read(node.node, known, depth + 1)

    def _filter(self, node: nodes.Filter, known: dict[str, Any], depth: int) -> Iterator[Flaw]:
        if node.name not in FILTERS or node.node is None or node.kwargs or node.dyn_args or node.dyn_kwargs:
            yield Flaw("template_filter_unknown", node.lineno, {"name": node.name, "names": sorted(FILTERS)})
            return
        for child in (node.node, *node.args):
            yield from self.read(child, known, depth + 1)

    def _test(self, node: nodes.Test, known: dict[str, Any], depth: int) -> Iterator[Flaw]:
        if node.name not in TESTS or node.args or node.kwargs:
            yield _not_allowed(node)
        else:
            yield from self.read(node.node, known, depth + 1)

    def _call(self, node: nodes.Call, known: dict[str, Any], depth: int) -> Iterator[Flaw]:
        """Nothing can be called but the two helpers that draw rows of a table."""
        own = isinstance(node.node, nodes.Name) and node.node.name in HELPERS and self._helpers
        if not own or node.kwargs or node.dyn_args or node.dyn_kwargs:
            yield _not_allowed(node)
            return
        for child in node.args:
            yield from self.read(child, known, depth + 1)

    def _loop(self, node: nodes.For, known: dict[str, Any], depth: int) -> Iterator[Flaw]:
        """Over a list that is known, or the beginning of one; loops in loops are bounded."""
        listed = node.iter.node if isinstance(node.iter, nodes.Getitem) else node.iter
        values = _value(listed, known)
        if not isinstance(values, list) or not isinstance(node.target, nodes.Name) or node.recursive or node.test:
            yield _not_allowed(node)
            return
        yield from self.read(node.iter, known, depth + 1)
        self._loops += 1
        if self._loops > MAXIMUM_LOOPS:
            raise _TooMuch
        inner = {**known, node.target.name: values[0] if values else {}, "loop": dict.fromkeys(ATTRIBUTES_OF_LOOP, 1)}
        for child in (*node.body, *node.else_):
            yield from self.read(child, inner, depth + 1)
        self._loops -= 1


_UNKNOWN = object()


def _value(node: nodes.Node, known: Mapping[str, Any]) -> Any:
    """The sample value behind a name or a name of a name."""
    match node:
        case nodes.Name(ctx="load"):
            return known.get(node.name, _UNKNOWN)
        case nodes.Getattr():
            inner = _value(node.node, known)
            return inner.get(node.attr, _UNKNOWN) if isinstance(inner, dict) else _UNKNOWN
        case _:
            return _UNKNOWN


def _written(node: nodes.Node) -> str:
    match node:
        case nodes.Getattr():
            return f"{_written(node.node)}.{node.attr}"
        case nodes.Name():
            return node.name
        case _:
            return "?"


def _names(name: str, known: Mapping[str, Any]) -> dict[str, object]:
    possible = [
        inner
        for outer, value in known.items()
        for inner in ([f"{outer}.{each}" for each in value] if isinstance(value, dict) else [outer])
    ]
    return {"name": name[:60], "names": sorted(possible)}


def _name(node: nodes.Name, known: Mapping[str, Any]) -> Iterator[Flaw]:
    if node.ctx != "load" or node.name not in known:
        yield Flaw("template_name_unknown", node.lineno, _names(node.name, known))


def _attribute(node: nodes.Getattr, known: Mapping[str, Any]) -> Iterator[Flaw]:
    """Only names of names: `contract.number`, of what is known."""
    if _value(node, known) is _UNKNOWN:
        yield Flaw("template_name_unknown", node.lineno, _names(_written(node), known))


def _constant(node: nodes.Const) -> Iterator[Flaw]:
    """Short texts without what could be taken for markup."""
    if isinstance(node.value, str) and len(node.value) > MAXIMUM_CONSTANT:
        yield Flaw("template_too_complex", node.lineno, {})
    elif isinstance(node.value, str) and set(node.value) & set("<>{}"):
        yield _not_allowed(node)


def _not_allowed(node: nodes.Node) -> Flaw:
    return Flaw("template_not_allowed", node.lineno, {"name": type(node).__name__})


def _always_shows_link(tree: nodes.Template) -> bool:
    """Whether `{{ link }}` stands where no condition can leave it out."""
    shown = (each for output in tree.body if isinstance(output, nodes.Output) for each in output.nodes)
    return any(isinstance(each, nodes.Name) and each.name == "link" for each in shown)


def read_markup(body: str) -> list[Flaw]:
    """What is wrong with the MJML of a body: its tags, their attributes and nesting, and where links lead.

    MJML takes any `<` for a tag, also one inside of Jinja, where this reader would not see it.
    """
    if found := FORBIDDEN.search(body):
        return [Flaw("template_markup_not_allowed", _line(body, found.start()), {"name": found[0]})]
    for hidden in JINJA.finditer(body):
        if "<" in hidden[0]:
            return [Flaw("template_markup_not_allowed", _line(body, hidden.start()), {"name": "<"})]
    reader = _Markup()
    reader.feed(JINJA.sub(_masked, body))
    reader.close()
    return reader.done()


def _line(source: str, place: int) -> int:
    return source.count("\n", 0, place) + 1


def _masked(found: re.Match[str]) -> str:
    """Jinja's own signs would disturb the reading of tags; a link stays, for it may be a target."""
    statement = found[0]
    if TARGET.fullmatch(statement):
        return statement
    return (STATEMENT if statement.startswith("{%") else VALUE) + "\n" * statement.count("\n")


class _Markup(HTMLParser):
    """Tags must be on the list, balanced, and stand where MJML takes them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self._flaws: list[Flaw] = []

    def done(self) -> list[Flaw]:
        if self._open:
            self._note("template_tag_open", name=self._open[-1])
        return self._flaws

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._begin(tag, attrs)
        if tag != "br":
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._begin(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self._note("template_tag_open", name=tag)

    def handle_data(self, data: str) -> None:
        inside_raw = "mj-raw" in self._open
        left = data.replace(STATEMENT, "") if inside_raw else "" if self._open else data
        if left.strip():
            before = left[: len(left) - len(left.lstrip())].count("\n")
            self._note("template_text_outside", before, name=left.strip()[:40])

    def _begin(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        outside = not self._open
        if tag not in TAGS or outside != (tag in OUTER) or "mj-raw" in self._open or len(self._open) > 10:
            self._note("template_markup_not_allowed", name=tag[:40])
            return
        for name, value in attrs:
            if name not in TAGS[tag]:
                self._note("template_attribute_not_allowed", name=name[:40], tag=tag)
            elif name == "href" and not TARGET.fullmatch(value or ""):
                self._note("template_target_not_allowed", name=(value or "")[:60])

    def _note(self, code: str, lines_on: int = 0, **facts: object) -> None:
        self._flaws.append(Flaw(code, self.getpos()[0] + lines_on, facts))
