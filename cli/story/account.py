"""How the story is told: what a teller must be able to say, and one that writes to the terminal in colours."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Protocol

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from cli.story.erp import Heard, Sent

LABEL_WIDTH = 12
LONGEST_VALUES = 240
ORIGIN = re.compile(r"https?://[^/]+")
ID = re.compile(r"([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
UNTOLD = {"contract", "contract_id", "contract_number", "contact_id"}
Lines = Sequence[tuple[str, str]]


class Account(Protocol):
    """Whoever tells or records the story."""

    def chapter(self, title: str) -> None:
        """Something new begins."""

    def remark(self, text: str) -> None:
        """A sentence in between."""

    def request(self, who: str, line: str, body: Any, status: int, answer: Lines) -> None:
        """An HTTP request (`POST http://...`), and what of its answer matters."""

    def sent(self, who: str, message: Sent) -> None:
        """A message that somebody wrote to a topic."""

    def event(self, heard: Heard) -> None:
        """An event of Portico that was read from its topic."""

    def page(self, title: str, url: str, lines: Lines) -> None:
        """What a page of the portal shows."""

    def mail(self, to: str, subject: str, link: str) -> None:
        """A mail that arrived."""

    def checked(self, what: str) -> None:
        """Something that was verified."""


class Terminal:
    """Tells the story in colours: who it was on the left, what it was on the right."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._chapters = 0

    def chapter(self, title: str) -> None:
        self._chapters += 1
        self._console.print()
        self._console.print(Rule(f"[bold]{self._chapters}  {title}[/]", align="left", style="cyan"))

    def remark(self, text: str) -> None:
        self._block("", "", [Text(text, "italic")])

    def request(self, who: str, line: str, body: Any, status: int, answer: Lines) -> None:
        colour = "green" if status < 400 else "yellow"
        lines = [Text.assemble((_brief(line), "bold"), "  →  ", (str(status), f"bold {colour}"))]
        sent = [Text(_values(body), "dim")] if body is not None else []
        self._block(who, "blue", [*lines, *sent], answer)

    def sent(self, who: str, message: Sent) -> None:
        place = f"{message.topic} · partition {message.partition} · offset {message.offset} · key {message.key}"
        lines = [Text.assemble((message.type, "bold"), "  to Kafka"), Text(place, "magenta")]
        self._block(who, "magenta", [*lines, Text(_values(message.data), "dim")])

    def event(self, heard: Heard) -> None:
        place = f"{heard.topic} · partition {heard.partition} · sequence {heard.sequence} · id {heard.id}"
        self._block("event", "cyan", [Text(heard.type, "bold"), Text(place, "cyan"), Text(_values(heard.data), "dim")])

    def page(self, title: str, url: str, lines: Lines) -> None:
        self._block("page", "green", [Text.assemble((title, "bold"), f"  GET {_brief(url)}")], lines)

    def mail(self, to: str, subject: str, link: str) -> None:
        lines = [Text(subject, "bold"), Text(f"to {to}")]
        self._block("mail", "yellow", [*lines, *([Text(link, "yellow")] if link else [])])

    def checked(self, what: str) -> None:
        self._block("✓", "bold green", [Text(what, "green")])

    def _block(self, label: str, colour: str, lines: Sequence[Text], details: Lines = ()) -> None:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(width=LABEL_WIDTH, justify="right", no_wrap=True)
        grid.add_column(overflow="fold")
        for number, line in enumerate(lines):
            grid.add_row(Text("" if number else label, f"bold {colour}".strip()), line)
        if details:
            inner = Table.grid(padding=(0, 2))
            for name, value in details:
                inner.add_row(Text(name, "dim"), Text(value))
            grid.add_row("", inner)
        self._console.print(grid)


def _brief(text: str) -> str:
    """Without the host, and with the beginning of an id only."""
    return ID.sub(r"\1…", ORIGIN.sub("", text))


def _values(data: Any) -> str:
    """What matters of a document, on about two lines: ids of records are left to the topic."""
    if isinstance(data, str):
        return data
    told = {name: value for name, value in data.items() if name not in UNTOLD and value is not None}
    text = "  ".join(f"{name} {_value(value)}" for name, value in told.items())
    return text if len(text) <= LONGEST_VALUES else f"{text[:LONGEST_VALUES]}…"


def _value(value: Any) -> str:
    match value:
        case str():
            return value
        case [dict() as first, *rest] if "due_on" in first:
            return f"{first['due_on']}: {first['amount_cents']}, … ({len(rest) + 1} due dates)"
        case _:
            return json.dumps(value, ensure_ascii=False)
