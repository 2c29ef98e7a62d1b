"""A folder of documents: every *.yaml below it, read whole, with everything that is wrong told by file and line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml.nodes import Node

from cli.configuration.kinds import KINDS, PORTAL, Kind, id_of, kind_of, rank
from cli.configuration.yaml12 import Fault, Faulty, Values, compose, find_line, line_of
from cli.problem import Problem

MAXIMUM_FILES = 2_000
MAXIMUM_BYTES = 2 * 2**20
NAMES = ", ".join(kind.name for kind in KINDS)


@dataclass(frozen=True)
class Document:
    """`content` is what is sent; `node` knows the lines; `alone`: nothing else is in its file."""

    kind: Kind
    id: str
    content: dict[str, Any]
    file: Path
    node: Node
    alone: bool

    @property
    def name(self) -> str:
        return f"{self.kind.name} {self.id}"

    def told(self, path: str, detail: str) -> str:
        """A mistake in it, as editors and people find it."""
        return tell(self.file, Fault(find_line(self.node, path), path, detail))


@dataclass
class Folder:
    """What was found, in the order in which it is brought in."""

    documents: list[Document] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)


def read_folder(path: Path) -> Folder:
    """All documents below a folder. Raises a Problem when there is no such folder or too much in it."""
    if not path.is_dir():
        raise Problem(f"{path} is no folder.", "Name a folder with documents, e.g. demo/lindenau.")
    files = sorted(file for file in path.rglob("*") if file.suffix in {".yaml", ".yml"} and _is_visible(file, path))
    if len(files) > MAXIMUM_FILES:
        raise Problem(f"{path} has {len(files)} YAML files; at most {MAXIMUM_FILES} are read.")
    folder = Folder()
    for file in files:
        _read_file(file, folder)
    _refuse_twins(folder)
    folder.documents.sort(key=lambda document: (rank(document.kind), document.id))
    return folder


def tell(file: Path, fault: Fault) -> str:
    return (
        f"{file}:{fault.line}: {fault.path}: {fault.detail}" if fault.path else f"{file}:{fault.line}: {fault.detail}"
    )


def _is_visible(file: Path, root: Path) -> bool:
    return not any(part.startswith(".") for part in file.relative_to(root).parts)


def _read_file(file: Path, folder: Folder) -> None:
    try:
        if file.stat().st_size > MAXIMUM_BYTES:
            raise Faulty(Fault(1, "", f"is larger than {MAXIMUM_BYTES // 2**20} MiB"))
        nodes = compose(file.read_text(encoding="utf-8-sig"))
        for node in nodes:
            folder.documents += _documents(file, node, len(nodes) == 1, folder.mistakes)
    except UnicodeDecodeError as error:
        folder.mistakes.append(tell(file, Fault(1, "", f"is not UTF-8: byte {error.start} is wrong")))
    except Faulty as faulty:
        folder.mistakes.append(tell(file, faulty.fault))


def _documents(file: Path, node: Node, alone: bool, mistakes: list[str]) -> Iterator[Document]:
    values = Values()
    content = values.of(node)
    if values.faults:
        mistakes += [tell(file, fault) for fault in values.faults]
        return
    kind = kind_of(content) if isinstance(content, dict) else None
    if kind is None:
        said = f"is no document: one of the keys {NAMES} names it"
        mistakes.append(tell(file, Fault(line_of(node), "", said)))
        return
    id_ = id_of(kind, content)
    if id_ is None:
        fault = Fault(find_line(node, kind.name), kind.name, "must be a name" + _also(kind, content))
        mistakes.append(tell(file, fault))
        return
    document = Document(kind, id_, content, file, node, alone)
    if kind is PORTAL and (mistake := _put_logo_in(document)):
        mistakes.append(mistake)
        return
    yield document


def _also(kind: Kind, content: dict[str, Any]) -> str:
    return ", and portal must name its portal" if kind.name == "template" and "portal" not in content else ""


def _put_logo_in(document: Document) -> str | None:
    """A logo that is named as a file beside the document becomes its content. Returns what is wrong, if anything."""
    design = document.content.get("design")
    logo = design.get("logo") if isinstance(design, dict) else None
    if not isinstance(design, dict) or not isinstance(logo, str) or not logo.endswith(".svg"):
        return None
    path = (document.file.parent / logo).resolve()
    if not path.is_relative_to(document.file.parent.resolve()) or not path.is_file():
        return document.told("design.logo", f"there is no file {logo} beside this one")
    if path.stat().st_size > MAXIMUM_BYTES:
        return document.told("design.logo", f"{logo} is too large")
    design["logo"] = path.read_text(encoding="utf-8")
    return None


def _refuse_twins(folder: Folder) -> None:
    seen: dict[tuple[str, str], Document] = {}
    for document in folder.documents:
        first = seen.setdefault((document.kind.name, document.id), document)
        if first is not document:
            where = f"{first.file}:{line_of(first.node)}"
            folder.mistakes.append(document.told(document.kind.name, f"{document.id} is defined already in {where}"))
