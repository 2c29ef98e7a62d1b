"""What people type, read as answers; and how answers stand in their fields again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from starlette.datastructures import FormData

from contracts.common import Language
from gateway.journeys.questions import labels, number_of, questions, read
from gateway.visit import Form
from services.journeys.form.document import Step
from services.journeys.form.fields import Field
from services.journeys.form.schemas import published_schema, ui_of

LABEL = {"de": "Frage", "en": "Question"}
OPTIONS = {"red": {"de": "Rot", "en": "Red"}, "blue": {"de": "Blau", "en": "Blue"}}
FIELDS: dict[str, dict[str, Any]] = {
    "text": {},
    "longtext": {},
    "email": {},
    "phone": {},
    "iban": {},
    "number": {},
    "integer": {},
    "money": {},
    "date": {"min": "today"},
    "cancellation_date": {},
    "boolean": {},
    "choice": {"options": OPTIONS},
    "choices": {"options": OPTIONS},
    "files": {},
}


def step_of(fields: dict[str, dict[str, Any]], **answers: Any) -> dict[str, Any]:
    step = Step.model_validate({"id": "one", "fields": fields})
    return {"ui": ui_of(step), "schema": published_schema(step, date(2026, 11, 22)), "answers": answers}


def form(*sent: tuple[str, str]) -> Form:
    return Form(FormData(sent))


def test_every_type_of_field_is_tried_here() -> None:
    union = Field.__origin__  # type: ignore[attr-defined]  # of Annotated
    types = {each.model_fields["type"].annotation.__args__[0] for each in union.__args__}
    assert types == {*FIELDS, "info"}


@pytest.mark.parametrize(
    ("kind", "typed", "answer"),
    [
        ("text", "Ada", "Ada"),
        ("longtext", "one\r\ntwo", "one\ntwo"),
        ("email", "a@example.org", "a@example.org"),
        ("phone", "+49 30 1", "+49 30 1"),
        ("iban", "DE89", "DE89"),
        ("number", "12,5", 12.5),
        ("number", "viel", "viel"),
        ("integer", "1.234", 1234),
        ("integer", "1,5", 1.5),
        ("money", "12,50", 1250),
        ("money", "1.234 €", 123400),
        ("money", "0,001", "0,001"),
        ("date", "2026-12-01", "2026-12-01"),
        ("cancellation_date", "2026-12-01", "2026-12-01"),
        ("boolean", "yes", True),
        ("boolean", "no", False),
        ("choice", "red", "red"),
    ],
)
def test_what_is_typed_becomes_an_answer_and_stands_there_again(kind: str, typed: str, answer: Any) -> None:
    fields = {"f": {"type": kind, "label": LABEL, **FIELDS[kind]}}
    assert read(step_of(fields), form(("q.f", typed)), ["f"], "de") == {"f": answer}
    (drawn,) = questions(step_of(fields, f=answer), "de")
    assert read(step_of(fields), form(("q.f", str(drawn["value"]))), ["f"], "de") == {"f": answer}
    assert read(step_of(fields), form(("q.f", "")), ["f"], "de") == {}
    assert read(step_of(fields), form(("q.f", typed)), [], "de") == {}


def test_several_choices_are_a_list() -> None:
    fields = {"f": {"type": "choices", "label": LABEL, "options": OPTIONS}}
    assert read(step_of(fields), form(("q.f", "red"), ("q.f", "blue")), ["f"], "de") == {"f": ["red", "blue"]}
    (drawn,) = questions(step_of(fields, f=["red"]), "en")
    assert (drawn["value"], drawn["choices"]) == (["red"], [("red", "Red"), ("blue", "Blue")])


def test_a_schema_of_its_own_is_asked_part_by_part() -> None:
    own = {
        "type": "object",
        "properties": {
            "address": {
                "type": "object",
                "properties": {"street": {"type": "string"}, "number": {"type": "integer", "title": "Hausnummer"}},
                "required": ["street"],
            },
            "tags": {"type": "array", "items": {"type": "string"}},
        },
    }
    step = Step.model_validate({"id": "one", "schema": own, "labels": {"address": LABEL, "tags": LABEL}})
    shown = {"ui": ui_of(step), "schema": published_schema(step, date(2026, 11, 22)), "answers": {"tags": ["a"]}}
    sent = form(("q.address.street", "Hafen"), ("q.address.number", "3"), ("q.tags", '["x"]'))
    assert read(shown, sent, ["address", "tags"], "de") == {
        "address": {"street": "Hafen", "number": 3},
        "tags": ["x"],
    }
    drawn = questions(shown, "de")
    assert labels(drawn)["address.number"] == ("q.address.number", "Hausnummer")
    assert [part["required"] for part in drawn[0]["parts"]] == [True, False]
    assert drawn[1]["value"] == '[\n  "a"\n]'
    assert read(shown, form(("q.tags", "[x")), ["tags"], "de") == {"tags": "[x"}


@pytest.mark.parametrize(
    ("text", "language", "number"),
    [
        ("1234", "de", "1234"),
        ("1.234", "de", "1234"),
        ("1.234", "en", "1.234"),
        ("1,234", "en", "1234"),
        ("1,234", "de", "1.234"),
        ("1.234,56", "de", "1234.56"),
        ("1.234,56", "en", "1234.56"),
        ("1,234.56", "de", "1234.56"),
        ("12.5", "de", "12.5"),
        ("12,5", "en", "12.5"),
        ("1 234 567,8 €", "de", "1234567.8"),
        ("EUR 5", "en", "5"),
        ("-3", "de", "-3"),
        ("", "de", None),
        ("-", "de", None),
        ("1e9", "de", None),
        ("12,", "de", None),
        ("vier", "de", None),
        ("９", "de", "9"),
        ("9" * 100, "de", "9" * 40),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, language: Language, number: str | None) -> None:
    assert number_of(text, language) == (None if number is None else Decimal(number))
