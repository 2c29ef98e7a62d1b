"""The demo utility's files are taken as they are."""

from pathlib import Path

import pytest
import yaml

from contracts.ids import record_id
from services.entities.app import SCHEMAS
from services.entities.imports.reading import RawRow, read_rows
from services.entities.records.decider import PutRecord, decider_of
from services.entities.rows import read_row
from services.portal.configuration.document import PortalDocument

LINDENAU = Path(__file__).parents[2] / "demo" / "lindenau"


def rows(entity: str, file: str | None = None) -> list[RawRow]:
    return read_rows(SCHEMAS[entity], (LINDENAU / f"{file or f'{entity}s'}.csv").read_bytes(), "text/csv")


@pytest.mark.parametrize(
    ("entity", "file"),
    [("company", "companies"), ("contact", "contacts"), ("contact", "installers"), ("contract", "contracts")],
)
def test_every_row_is_accepted(entity: str, file: str) -> None:
    schema = SCHEMAS[entity]
    decider = decider_of(schema)
    for raw in rows(entity, file):
        row = read_row(schema, raw.cells)
        relations = {
            name: tuple(record_id(schema.relations[name].to, id_) for id_ in ids)
            for name, ids in row.references.items()
        }
        command = PutRecord(record_id(entity, row.external_id), row.external_id, row.values, relations)
        assert len(decider.decide(command, decider.initial)) == 1


def test_installers_work_for_the_companies_beside_them() -> None:
    companies = {row.cells["company_number"] for row in rows("company", "companies")}
    assert {row.cells["company"] for row in rows("contact", "installers")} == companies


def test_contracts_belong_to_the_contacts_beside_them() -> None:
    customers = {row.cells["customer_number"] for row in rows("contact")}
    assert {row.cells["holder"] for row in rows("contract")} <= customers


def test_the_customer_of_the_story() -> None:
    anna = next(row.cells for row in rows("contact") if row.cells["customer_number"] == "K-1001")
    assert (anna["first_name"], anna["last_name"], anna["language"]) == ("Anna", "Sommer", "de")
    contract = next(row.cells for row in rows("contract") if row.cells["number"] == "V-1001")
    assert (contract["holder"], contract["product"], contract["division"]) == ("K-1001", "Strom Öko+", "electricity")


def test_the_portal_is_a_portal() -> None:
    text = (LINDENAU / "portals/customers.yaml").read_text(encoding="utf-8")
    document = PortalDocument.model_validate(yaml.safe_load(text))
    rules = document.event().instalments
    assert (rules.rules_for("electricity").down_percent, rules.rules_for("gas").down_percent) == (20, 10)
    assert rules.rules_for("gas").days_before_due == rules.default.days_before_due
