"""Schemas hold together, or say what is wrong."""

from pathlib import Path
from typing import Any

import pytest

from services.entities.app import SCHEMAS, TEXTS
from services.entities.schema import InvalidSchema, Schema, load_schema, load_schemas

LAMP = """
entity: lamp
label: {de: Lampe, en: Lamp}
title: {attribute: code}
attributes:
  code: {type: text, unique: true}
  kind: {type: choice, options: [desk, floor]}
"""
DOCUMENT: dict[str, Any] = {
    "entity": "lamp",
    "title": {"attribute": "code"},
    "attributes": {"code": {"type": "text", "unique": True}},
}


def write(folder: Path, text: str, name: str = "lamp.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_documents_that_come_with_portico_load() -> None:
    assert set(SCHEMAS) == {"company", "contact", "contract"}
    assert SCHEMAS["company"].external_id == "company_number"
    assert SCHEMAS["contact"].relations["company"].to == "company"
    assert SCHEMAS["contact"].external_id == "customer_number"
    assert SCHEMAS["contract"].external_id == "number"
    assert SCHEMAS["contract"].attributes["status"].decided_by == "billing"


def test_every_attribute_that_names_a_person_or_a_place_is_personal() -> None:
    plain = {name for name in SCHEMAS["contact"].attributes if not SCHEMAS["contact"].is_personal(name)}
    assert plain == {"customer_number", "language", "divisions"}
    plain = {name for name in SCHEMAS["company"].attributes if not SCHEMAS["company"].is_personal(name)}
    assert plain == {"company_number", "name", "legal_form", "register_number", "vat_id", "divisions"}
    plain = {name for name in SCHEMAS["contract"].attributes if not SCHEMAS["contract"].is_personal(name)}
    terms = {"initial_term_months", "notice", "renewal_months", "basic_supply", "price_change_on"}
    assert plain == {"number", "status", "division", "product", "starts_on", "ends_on"} | terms


def test_the_person_of_a_record() -> None:
    assert SCHEMAS["contact"].person_of("7", {}) == "contact/7"
    assert SCHEMAS["contract"].person_of("9", {"holder": ("7",)}) == "contact/7"
    assert SCHEMAS["contract"].person_of("9", {}) is None


def test_personal_attributes_are_the_holders_or_the_records_own() -> None:
    personal = {**DOCUMENT, "attributes": {**DOCUMENT["attributes"], "name": {"type": "text", "personal": True}}}
    assert Schema.model_validate(DOCUMENT).owner is None
    assert Schema.model_validate(personal).person_of("1", {}) == "lamp/1"
    held = Schema.model_validate({**personal, "relations": {"holder": {"to": "contact"}}})
    assert held.person_of("1", {"holder": ("7",)}) == "contact/7"


def test_options_may_be_bare(tmp_path: Path) -> None:
    assert set(load_schema(write(tmp_path, LAMP), TEXTS).schema.attributes["kind"].options) == {"desk", "floor"}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("unique: true", "unique: false"), "exactly one is unique"),
        (("type: text, unique", "type: txt, unique"), "attributes.code.type"),
        (("attribute: code", "attribute: name"), "name is no attribute; there are code, kind"),
        (("options: [desk, floor]", "options: []"), "options belong to"),
        (("entity: lamp", "entity: import"), "import is the name of something else"),
        (("entity: lamp", "entity: Lamp"), "entity"),
        (("kind:", "colour_of_light: {type: text, label: {de: Code, en: Code}}\n  kind:"), "are both called 'code'"),
        (("title:", "person: owner\ntitle:"), "owner must be a relation to one record"),
        (("title:", "relations: {code: {to: lamp}}\ntitle:"), "code is an attribute too"),
        (("title:", "colour: red\ntitle:"), "colour"),
        (("entity: lamp", "entity: [lamp"), "lamp.yaml"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: tuple[str, str], complaint: str) -> None:
    with pytest.raises(InvalidSchema, match=r"lamp\.yaml") as caught:
        load_schema(write(tmp_path, LAMP.replace(*change)), TEXTS)
    assert complaint in str(caught.value)


def test_relations_lead_somewhere(tmp_path: Path) -> None:
    write(tmp_path, LAMP.replace("title:", "relations: {room: {to: room}}\ntitle:"))
    with pytest.raises(InvalidSchema, match="there is no entity room"):
        load_schemas(tmp_path, TEXTS)


def test_a_schema_survives_its_own_json() -> None:
    for schema in SCHEMAS.values():
        assert Schema.model_validate_json(schema.model_dump_json()) == schema
