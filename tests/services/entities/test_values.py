"""Raw values become values, or are refused without being repeated."""

import pytest

from chassis.errors import Rejected
from services.entities.schema import Attribute
from services.entities.values import parse

OPTIONS = {"options": {"electricity": {"de": "Strom", "en": "Electricity"}, "gas": {"de": "Gas", "en": "Gas"}}}


def attribute(type_: str, **more: object) -> Attribute:
    return Attribute.model_validate({"type": type_, **more})


@pytest.mark.parametrize(
    ("type_", "raw", "value"),
    [
        ("text", "  Größe ", "Größe"),
        ("text", "Gro\u0308ße", "Größe"),
        ("text", 4711, "4711"),
        ("text", "", None),
        ("text", "   ", None),
        ("text", None, None),
        ("email", "anna.sommer@example.org", "anna.sommer@example.org"),
        ("email", "a@münchen.example.com", "a@münchen.example.com"),
        ("phone", "+49 (0)30 / 23125-007", None),
        ("phone", "+49 30  23125 007", "+49 30 23125 007"),
        ("date", "31.12.2026", "2026-12-31"),
        ("date", "1.2.2026", "2026-02-01"),
        ("date", "2026-12-31", "2026-12-31"),
        ("number", "1234,5", 1234.5),
        ("number", "1.234,50", 1234.5),
        ("number", "1234.5", 1234.5),
        ("number", "-7,0", -7),
        ("number", 12, 12),
        ("boolean", "Ja", True),
        ("boolean", "nein", False),
        ("boolean", False, False),
    ],
)
def test_values(type_: str, raw: object, value: object) -> None:
    if value is None and raw and str(raw).strip():
        with pytest.raises(Rejected):
            parse("it", attribute(type_, max_length=10), raw)
    else:
        assert parse("it", attribute(type_), raw) == value


@pytest.mark.parametrize("raw", ["electricity", "STROM", " Electricity "])
def test_a_choice_is_named_by_option_or_label(raw: str) -> None:
    assert parse("division", attribute("choice", **OPTIONS), raw) == "electricity"


@pytest.mark.parametrize("raw", ["gas|Strom", ["gas", "electricity", "gas"]])
def test_choices_are_a_set_in_the_order_of_the_schema(raw: object) -> None:
    assert parse("divisions", attribute("choices", **OPTIONS), raw) == ["electricity", "gas"]


@pytest.mark.parametrize(
    ("type_", "raw", "code"),
    [
        ("text", "a\0b", "invalid_text"),
        ("text", "a\x1bb", "invalid_text"),
        ("text", "\ud800", "invalid_text"),
        ("text", {"a": 1}, "invalid_text"),
        ("text", True, "invalid_text"),
        ("text", "x" * 201, "invalid_length"),
        ("email", "anna.sommer", "invalid_email"),
        ("email", "anna@sommer", "invalid_email"),
        ("email", "a b@example.org", "invalid_email"),
        ("email", "a@example..org", "invalid_email"),
        ("phone", "call me", "invalid_phone"),
        ("phone", "12", "invalid_phone"),
        ("date", "31.02.2026", "invalid_date"),
        ("date", "31.12.26", "invalid_date"),
        ("date", "12/31/2026", "invalid_date"),
        ("date", "20261231", "invalid_date"),
        ("date", "٣١.١٢.2026", "invalid_date"),
        ("number", "1,2,3", "invalid_number"),
        ("number", "NaN", "invalid_number"),
        ("number", "1e5", "invalid_number"),
        ("number", float("inf"), "invalid_number"),
        ("number", True, "invalid_number"),
        ("number", [1], "invalid_number"),
        ("boolean", "vielleicht", "invalid_boolean"),
    ],
)
def test_what_does_not_fit_is_refused(type_: str, raw: object, code: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse("it", attribute(type_), raw)
    assert caught.value.code == code
    assert caught.value.facts["attribute"] == "it"
    assert str(raw) not in str(caught.value)


@pytest.mark.parametrize(
    ("type_", "raw"), [("choice", "water"), ("choice", 1), ("choices", "gas|water"), ("choices", 1)]
)
def test_a_choice_that_does_not_exist(type_: str, raw: object) -> None:
    with pytest.raises(Rejected) as caught:
        parse("division", attribute(type_, **OPTIONS), raw)
    assert caught.value.code == "invalid_choice"
    assert caught.value.facts["options"] == ["electricity", "gas"]
