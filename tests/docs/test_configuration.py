"""The documents in docs/configuration.md are ones that Portico takes, and so are those of the demo utility."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.configuration.folder import Document, read_folder
from cli.configuration.kinds import ENTITY, JOURNEY, KINDS, PROCESS, TEMPLATE
from cli.configuration.meaning import flaws
from contracts.conditions import OPERATORS, check
from services.entities.schema import Schema
from services.entities.schema import flaws as flaws_of_schema
from services.journeys.form.checks import flaws_of as flaws_of_journey
from services.journeys.form.document import JourneyDocument
from services.notifications.app import TEXTS as NOTIFICATION_TEXTS
from services.notifications.templates.document import read_template
from services.processes.app import TEXTS as PROCESS_TEXTS
from services.processes.document import read_process

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
LINDENAU = ROOT / "demo" / "lindenau"


def check_whole(document: Document) -> None:
    """Everything that its service checks, as far as the document alone tells."""
    assert flaws(document.kind, document.content) == []
    match document.kind.name:
        case ENTITY.name:
            assert flaws_of_schema(Schema.model_validate(document.content)) == []
        case JOURNEY.name:
            assert flaws_of_journey(JourneyDocument.model_validate(document.content), document.content) == []
        case PROCESS.name:
            read_process(document.id, document.content, PROCESS_TEXTS, "en")
        case TEMPLATE.name:
            portal, _, template = document.id.partition("/")
            read_template(portal, template, document.content, NOTIFICATION_TEXTS, "en")


def test_the_documents_of_the_page_are_right(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for number, block in enumerate(blocks):
        (tmp_path / f"{number}.yaml").write_text(block, encoding="utf-8")
    found = read_folder(tmp_path)
    assert found.mistakes == []
    assert [document.kind.name for document in found.documents] == ["entity", "journey", "process", "template"]
    for document in found.documents:
        check_whole(document)


def test_the_page_knows_every_test_of_conditions(tmp_path: Path) -> None:
    table = PAGE.partition("| test |")[2].partition("\n\n")[0]
    assert {operator for operator in OPERATORS if f"`{operator}" in table} == set(OPERATORS)
    example = PAGE.partition("when:\n")[2].partition("```")[0]
    (tmp_path / "a.yaml").write_text(f"portal: x\nwhen:\n{example}", encoding="utf-8")
    (document,) = read_folder(tmp_path).documents
    assert check(document.content["when"])


@pytest.mark.parametrize("document", read_folder(LINDENAU).documents, ids=lambda document: document.name)
def test_the_documents_of_the_demo_are_right(document: Document) -> None:
    check_whole(document)


def test_the_demo_shows_every_kind() -> None:
    found = read_folder(LINDENAU)
    assert found.mistakes == []
    assert {document.kind for document in found.documents} == set(KINDS)
