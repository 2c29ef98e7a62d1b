"""`python -m contracts.generate` (`make contracts`) writes the JSON Schemas and the AsyncAPI document from the code.

A schema that was published is only ever replaced by one that keeps its promises.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from contracts.asyncapi import document
from contracts.compatibility import breaking_changes
from contracts.example import example_of
from contracts.json_schema import is_inbound, published, schema_of

FOLDER = Path(__file__).parent
EXAMPLES = FOLDER.parent / "tests/contracts/fixtures"
LANGUAGE_VERSION = "1.0.0"
ADVICE = """\
A published event grows by properties with a default and never changes otherwise. Declare the next version instead
(CONTRIBUTING.md: "Add an event"). If it was never committed to main, delete its file and generate again.
"""


def files() -> dict[Path, str]:
    """What is generated, by its path below contracts/."""
    types = published()
    schemas = {Path("schemas", f"{name}.json"): _json(schema_of(cls)) for name, cls in types.items()}
    return {**schemas, Path("asyncapi.yaml"): _yaml(document(types, LANGUAGE_VERSION))}


def broken_promises(folder: Path = FOLDER) -> list[str]:
    """Where the code breaks what the schemas in the folder have promised: one sentence each."""
    types = published()
    sentences = []
    for path in sorted((folder / "schemas").glob("*.json")):
        cls = types.get(path.stem)
        if cls is None:
            sentences.append(f"{path.stem}: published, but no longer declared")
            continue
        changes = breaking_changes(json.loads(path.read_text()), schema_of(cls), inbound=is_inbound(cls))
        sentences += [f"{path.stem}: {change}" for change in changes]
    return sentences


def stale(folder: Path = FOLDER) -> list[Path]:
    """Files that are missing, are not what the code generates, or should not be there."""
    wanted = files()
    present = {path.relative_to(folder) for path in (folder / "schemas").glob("*.json")}
    differing = {path for path, content in wanted.items() if _content(folder / path) != content}
    return sorted(differing | (present - set(wanted)))


def write(folder: Path = FOLDER) -> list[Path]:
    """Writes what is stale and returns it."""
    wanted = files()
    (folder / "schemas").mkdir(exist_ok=True)
    written = [path for path in stale(folder) if path in wanted]
    for path in written:
        (folder / path).write_text(wanted[path])
    return written


def write_examples(folder: Path = EXAMPLES) -> list[Path]:
    """Makes a first example of every type that has none, and returns where."""
    missing = {
        folder / f"{name}.json": cls for name, cls in published().items() if not (folder / f"{name}.json").exists()
    }
    for path, cls in missing.items():
        path.write_text(_json([example_of(schema_of(cls))]))
    return list(missing)


def main() -> int:
    broken = broken_promises()
    if broken:
        sys.stderr.write("\n".join([*broken, "", ADVICE]))
        return 1
    for path in write():
        sys.stdout.write(f"contracts/{path}\n")
    for path in write_examples():
        sys.stdout.write(f"{path.relative_to(FOLDER.parent)}: put plausible values in\n")
    return 0


def _content(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


class _Dumper(yaml.SafeDumper):
    """Indents lists, writes texts of several lines as blocks, and repeats instead of using anchors."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent)


def _yaml(value: Any) -> str:
    head = "# Generated from contracts/ by `make contracts`; do not edit.\n"
    return head + yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=105, explicit_start=True)


if __name__ == "__main__":
    sys.exit(main())
