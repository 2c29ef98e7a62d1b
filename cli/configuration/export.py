"""`portico export DIR`: what is configured, as documents; a file that means the same already is left alone."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from cli.configuration.folder import Document, Folder, read_folder
from cli.configuration.kinds import KINDS, Kind
from cli.configuration.meaning import plain, same
from cli.configuration.remote import Remote
from cli.configuration.writing import dump, in_order_of
from cli.configuration.yaml12 import line_of
from cli.problem import Problem

Found = dict[tuple[Kind, str], dict[str, Any]]


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the documents go; may be new.")],
    only: Annotated[list[str] | None, typer.Option("--only", metavar="KIND", help="entity, journey, ...")] = None,
) -> None:
    """Write the configuration that is there as YAML documents, ready for git and for `portico apply` elsewhere."""
    console = Console(highlight=False, soft_wrap=True)
    kinds = _kinds(only)
    here = read_folder(folder) if folder.exists() else Folder()
    if here.mistakes:
        raise Problem(f"{folder} has documents that cannot be read.", "\n".join(here.mistakes))
    remote = Remote.of_environment()
    there: Found = {
        (kind, id_): in_order_of(plain(kind, found.content), found.content)
        for kind in kinds
        for id_, found in remote.all(kind)
    }
    known = {(document.kind, document.id): document for document in here.documents}
    written = [*_write_new(folder, there, known), *_rewrite(here, there)]
    for file in written:
        console.print(Text.assemble(("✓ ", "green"), str(file)))
    for key, document in known.items():
        if key[0] in kinds and key not in there:
            console.print(Text(f"{document.name} is only in {document.file}", "yellow"))
    console.print(f"{len(there)} documents, {len(written)} files written.")


def _kinds(only: list[str] | None) -> list[Kind]:
    names = [kind.name for kind in KINDS]
    if wrong := [name for name in only or () if name not in names]:
        raise Problem(f"There is no kind {wrong[0]!r}.", f"There are {', '.join(names)}.")
    return [kind for kind in KINDS if not only or kind.name in only]


def _write_new(folder: Path, there: Found, known: dict[tuple[Kind, str], Document]) -> list[Path]:
    """Documents that are in no file yet get one of their own: <kind>/<id>.yaml."""
    written = []
    for (kind, id_), content in there.items():
        if (kind, id_) not in known:
            file = folder / kind.folder / f"{id_}.yaml"
            if file.exists():
                raise Problem(
                    f"{file} is in the way: it holds something else.", "Move it, or export to another folder."
                )
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dump(kind, content), encoding="utf-8")
            written.append(file)
    return written


def _rewrite(here: Folder, there: Found) -> list[Path]:
    """Files with a document that means something else by now; the others in such a file stay as they are."""
    by_file: dict[Path, list[Document]] = defaultdict(list)
    for document in sorted(here.documents, key=lambda document: line_of(document.node)):
        by_file[document.file].append(document)
    written = []
    for file, documents in by_file.items():
        contents = [there.get((document.kind, document.id), document.content) for document in documents]
        pairs = list(zip(documents, contents, strict=True))
        if not all(same(document.kind, content, document.content) for document, content in pairs):
            file.write_text("---\n".join(dump(document.kind, content) for document, content in pairs), encoding="utf-8")
            written.append(file)
    return written
