"""`portico apply DIR`: the difference first, then, when somebody agrees, the documents in their order."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from cli.configuration.folder import Document, read_folder
from cli.configuration.meaning import flaws, plain, same
from cli.configuration.remote import Configured, Remote
from cli.configuration.writing import dump, in_order_of
from cli.problem import Problem

DIFFERENT = 3
COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@dataclass(frozen=True)
class Change:
    """A document that is to be brought in; `now` is None when it is new."""

    document: Document
    now: Configured | None

    @property
    def word(self) -> str:
        return "changed" if self.now else "new"


def apply(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of documents, e.g. demo/lindenau.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only show; exits with 3 when something differs.")] = False,
) -> None:
    """Bring a utility's configuration in: schemas, journeys, processes, portals and templates as YAML documents.

    Shows the difference to what is there and asks. A document is taken as a whole or not at all; a mistake is told
    with file, line and path. Exits with 1 when something was wrong.
    """
    console = Console(highlight=False, soft_wrap=True)
    found = read_folder(folder)
    mistakes = [*found.mistakes, *(mistake for document in found.documents for mistake in _mistakes(document))]
    if mistakes:
        _refuse(mistakes)
    if not found.documents:
        raise Problem(f"There is no document in {folder}.", "A document begins e.g. with `portal: customers`.")
    remote = Remote.of_environment()
    changes = [change for document in found.documents if (change := _change(remote, document))]
    for change in changes:
        _show(console, change)
    console.print(_summary(changes, len(found.documents)))
    if not changes:
        return
    if check:
        raise typer.Exit(DIFFERENT)
    _ask(yes, len(changes))
    _bring_in(console, remote, changes)


def _mistakes(document: Document) -> list[str]:
    return [document.told(flaw.path, flaw.detail) for flaw in flaws(document.kind, document.content)]


def _change(remote: Remote, document: Document) -> Change | None:
    now = remote.find(document.kind, document.id)
    return None if now and same(document.kind, now.content, document.content) else Change(document, now)


def _show(console: Console, change: Change) -> None:
    document, now = change.document, change.now
    console.print(Text.assemble((f"{document.name}", "bold"), f"  {change.word}  ", (str(document.file), "dim")))
    wanted = plain(document.kind, document.content)
    after = dump(document.kind, wanted).splitlines()
    before = dump(document.kind, in_order_of(plain(document.kind, now.content), wanted)).splitlines() if now else []
    for line in [*difflib.unified_diff(before, after, n=2, lineterm="")][2:] if now else ():
        console.print(Text(f"  {line}", COLOURS.get(line[:1], "")))
    if not now:
        console.print(Text(f"  + {len(after)} lines", "green"))


def _summary(changes: list[Change], count: int) -> str:
    new = sum(change.now is None for change in changes)
    return f"{new} new, {len(changes) - new} changed, {count - len(changes)} unchanged."


def _ask(yes: bool, count: int) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Problem("Nobody is there to ask.", "Say --yes to apply, or --check to see the difference only.")
    typer.confirm(f"Apply {count} document{'s' if count > 1 else ''}?", abort=True)


def _bring_in(console: Console, remote: Remote, changes: list[Change]) -> None:
    mistakes: list[str] = []
    taken = 0
    for change in changes:
        document = change.document
        version = change.now.version if change.now else ""
        answer = remote.put(document.kind, document.id, document.content, version)
        told = [document.told(remark.path, remark.detail) for remark in answer.remarks]
        if answer.taken:
            taken += 1
            console.print(Text.assemble(("✓ ", "green"), document.name))
            for line in told:
                console.print(Text(f"  {line}", "yellow"))
        else:
            mistakes += told
            console.print(Text.assemble(("✗ ", "red"), document.name, ("  stays as it was", "dim")))
    if mistakes:
        _refuse(mistakes, f"{taken} applied, {len(changes) - taken} refused.")
    console.print(f"{taken} applied.")


def _refuse(mistakes: list[str], summary: str = "Nothing was applied.") -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for line in mistakes:
        console.print(Text(line, "red"))
    console.print(summary)
    raise typer.Exit(1)
