"""Sentences for people: complete in both languages, figures as people write them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.http.app import OWN_TEXTS
from chassis.texts import InvalidTexts, Texts, format_fact, language_of

TEXTS = Texts.of(
    {
        "above_upper_limit": {
            "de": "Höchstens {upper_limit_cents} sind möglich.",
            "en": "At most {upper_limit_cents} is possible.",
        },
        "plain": {"de": "Nein.", "en": "No."},
    }
)


def test_money_is_written_as_people_write_it() -> None:
    facts = {"upper_limit_cents": 123456}
    assert TEXTS.say("above_upper_limit", "de", facts) == "Höchstens 1.234,56\xa0€ sind möglich."
    assert TEXTS.say("above_upper_limit", "en", facts) == "At most €1,234.56 is possible."
    assert TEXTS.say("above_upper_limit", "en", facts | {"currency": "GBP"}) == "At most £1,234.56 is possible."


@pytest.mark.parametrize(
    ("name", "value", "de", "en"),
    [
        ("due_on", date(2026, 3, 9), "09.03.2026", "9 Mar 2026"),
        ("at", datetime(2026, 7, 1, 22, 30, tzinfo=UTC), "02.07.2026, 00:30:00", "2 Jul 2026, 00:30:00"),
        ("percent", 20, "20", "20"),
        ("customers", 12345, "12.345", "12,345"),
        ("rate", Decimal("1.5"), "1,5", "1.5"),
        ("contract_id", 12345, "12345", "12345"),
        ("due_year", 2026, "2026", "2026"),
        ("allowed", True, "ja", "yes"),
        ("allowed_cents", [100, 250], "1,00\xa0€, 2,50\xa0€", "€1.00, €2.50"),
        ("missing", None, "–", "–"),
        ("name", "Müller {x}", "Müller {x}", "Müller {x}"),
    ],
)
def test_facts_are_formatted_by_name_and_type(name: str, value: object, de: str, en: str) -> None:
    assert format_fact(name, value, "de", {}) == de
    assert format_fact(name, value, "en", {}) == en


def test_a_missing_sentence_or_fact_is_none() -> None:
    assert TEXTS.say("unknown", "de") is None
    assert TEXTS.say("above_upper_limit", "de") is None
    assert TEXTS.say("plain", "de", {"more": 1}) == "Nein."


@pytest.mark.parametrize(
    ("sentences", "mistake"),
    [
        ({"code": {"de": "Nur deutsch."}}, "exactly the languages de, en"),
        ({"code": {"de": "a", "en": "b", "fr": "c"}}, "exactly the languages de, en"),
        ({"code": {"de": "a", "en": " "}}, "in en is empty"),
        ({"code": {"de": "{a}", "en": "{b}"}}, "name different facts: a, b"),
        ({"code": {"de": "{a.__class__}", "en": "{a.__class__}"}}, "which is no fact"),
        ({"code": {"de": "{a", "en": "b"}}, "cannot be read"),
        ({"code": "only one"}, "expected {de"),
        (["code"], "expected `code"),
    ],
)
def test_incomplete_texts_do_not_load(sentences: object, mistake: str) -> None:
    with pytest.raises(InvalidTexts, match=mistake.replace("{", r"\{").replace("(", r"\(")):
        Texts.of(sentences)


def test_texts_come_from_a_file_and_join(tmp_path: Path) -> None:
    path = tmp_path / "texts.yaml"
    path.write_text("mine: {de: Meins, en: Mine}\nplain: {de: Doch., en: Yes.}\n", encoding="utf-8")
    both = TEXTS | Texts.load(path)
    assert (both.say("mine", "de"), both.say("plain", "en")) == ("Meins", "Yes.")
    assert "above_upper_limit" in both


def test_the_chassis_has_a_title_for_every_status_that_it_answers() -> None:
    for status in (400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 422, 500, 503):
        assert f"title_{status}" in OWN_TEXTS


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("de", "de"),
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr,de;q=0.2,en;q=0.1", "de"),
        ("fr", "en"),
        ("de;q=0", "en"),
        ("de;q=x,en;q=0.1", "en"),
    ],
)
def test_the_language_is_the_one_that_is_preferred(header: str | None, language: str) -> None:
    assert language_of(header) == language


@given(st.text())
def test_any_header_yields_a_language(header: str) -> None:
    assert language_of(header) in {"de", "en"}
