"""Every template in both languages: complete, in one language only, with its link, and safe against what is put in."""

import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from contracts.billing import InstalmentChanged, InstalmentConfirmed, InstalmentRefused
from contracts.common import Language
from services.notifications.messages.drafts import INSTALMENTS, NO_VALUES
from services.notifications.templates.catalog import MAILS
from services.notifications.templates.render import (
    FOLDER,
    as_text,
    greeting,
    names,
    one_line,
    readable_on,
    render,
    sample,
    sample_frame,
    standard,
    variables,
)

LINK = sample_frame("de").link
LANGUAGES: tuple[Language, ...] = ("de", "en")
BOTH = list(itertools.product(names(), LANGUAGES))
GERMAN = re.compile(r"\b(und|Ihr|Ihre|Vertrag|Abschlag|Guten Tag|Der|im Portal|wir haben)\b")
ENGLISH = re.compile(r"\b(and|your|contract|instalment|Hello|The|in the portal|we have)\b", re.IGNORECASE)


class Visible(HTMLParser):
    """The text that a reader of the HTML sees, and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str | None] = []
        self.buttons = 0
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = self._hidden or tag == "style"
        if tag == "a":
            self.links.append(dict(attrs).get("href"))

    def handle_endtag(self, tag: str) -> None:
        self._hidden = self._hidden and tag != "style"

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return "\n".join(self.words)


def values_of(name: str) -> dict[str, Any]:
    return {key: str(value) if key.endswith(("_on", "_from")) else value for key, value in sample(name).items()}


def test_every_mail_has_its_files_and_every_folder_its_mail() -> None:
    assert {path.parent.name for path in FOLDER.glob("*/sample.yaml")} == {*names(), "own"}


@pytest.mark.parametrize(("name", "language"), BOTH)
def test_a_template_renders_completely(name: str, language: Language) -> None:
    frame = sample_frame(language, name)
    mail = render(name, frame, values_of(name))
    visible = Visible(mail.html)
    assert "\n" not in mail.subject
    assert 10 < len(mail.subject) < 100
    assert visible.links == ([] if frame.to_staff else [frame.link])
    for part in (visible.text, mail.text):
        assert greeting(language, frame.salutation, "Anna", "Schmidt") in part
        assert frame.portal_name in part
        assert not re.search(r"[{}\[]{2}|None", part)
        assert not MAILS[name].link or name.startswith("instalment") == ("Lindenau Strom Fix" in part)
        assert frame.to_staff or (frame.contract_number or "?") in part
    assert frame.to_staff or frame.link in mail.text
    assert f'lang="{language}"' in mail.html
    assert not re.search(r"<(link|img|script)|@import|url\(", mail.html), "a mail loads nothing from elsewhere"


@pytest.mark.parametrize(("name", "language"), BOTH)
def test_nothing_is_left_in_the_other_language(name: str, language: Language) -> None:
    values = {**values_of(name), **({"reason": "-"} if "reason" in values_of(name) else {})}
    mail = render(name, sample_frame(language, name), values)
    for part in (mail.subject, Visible(mail.html).text, mail.text):
        assert not (ENGLISH if language == "de" else GERMAN).search(part)


@pytest.mark.parametrize(("name", "language"), BOTH)
def test_html_and_text_say_the_same(name: str, language: Language) -> None:
    mail = render(name, sample_frame(language), values_of(name))
    seen = Visible(mail.html).text
    amounts = set(re.findall(r"€?\d[\d.,]*\d(?: €)?", " ".join(mail.text.replace(LINK, "").split())))
    assert all(amount in seen for amount in amounts)


@pytest.mark.parametrize(("name", "language"), BOTH)
def test_a_missing_value_fails_instead_of_leaving_a_hole(name: str, language: Language) -> None:
    values = values_of(name)
    used = {variable for path in (FOLDER / name / language).iterdir() for variable in _variables(path.read_text())}
    own = used - set(variables(sample_frame(language))) - {"fact", "amounts", "payment"}
    assert own == set(values)
    for missing in values:
        with pytest.raises(UndefinedError):
            render(name, sample_frame(language), {key: value for key, value in values.items() if key != missing})


def test_an_unknown_product_is_left_out() -> None:
    frame = replace(sample_frame("de"), product=None, division=None)
    mail = render("instalment_requested", frame, values_of("instalment_requested"))
    assert "Tarif" not in mail.html + mail.text


def test_a_long_schedule_is_cut_and_an_empty_one_left_out() -> None:
    values = values_of("instalment_confirmed")
    mail = render("instalment_confirmed", sample_frame("de"), values)
    assert mail.text.count("\n- ") == 6
    assert "Alle weiteren Termine" in mail.html
    empty = render("instalment_confirmed", sample_frame("de"), {**values, "schedule": []})
    assert "nächsten Zahlungen" not in Visible(empty.html).text.replace("Hier sind Ihre nächsten Zahlungen", "")
    assert "Alle weiteren Termine" not in empty.html + empty.text


def test_money_and_dates_are_written_as_people_write_them() -> None:
    values = {**values_of("instalment_requested"), "amount_cents": 123456}
    assert "1.234,56\xa0€" in render("instalment_requested", sample_frame("de"), values).text
    english = render("instalment_requested", sample_frame("en"), values).text
    assert "€1,234.56" in english
    assert "1 January 2027" in english


@pytest.mark.parametrize("language", LANGUAGES)
def test_markup_in_values_is_text(language: Language) -> None:
    evil = '<script>alert("x")</script>{{ 7 * 7 }}'
    frame = replace(sample_frame(language), last_name=evil, portal_name=evil, product=evil, contract_number=evil)
    mail = render("instalment_refused", frame, {**values_of("instalment_refused"), "reason": evil})
    assert "<script>" not in mail.html
    assert "&lt;script&gt;" in mail.html
    assert "49" not in mail.text


@given(st.text())
def test_a_subject_is_one_line_whatever_is_in_it(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert line.isprintable() or "\xad" in line or all(char.isprintable() or not char.isspace() for char in line)
    assert not {"\r", "\n", "\0", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"} & set(line)


@pytest.mark.parametrize(
    ("language", "salutation", "first", "last", "expected"),
    [
        ("de", "ms", "Anna", "Schmidt", "Guten Tag Frau Schmidt,"),
        ("de", "mr", None, "Schmidt", "Guten Tag Herr Schmidt,"),
        ("de", "none", "Anna", "Schmidt", "Guten Tag Anna Schmidt,"),
        ("de", "ms", "Anna", None, "Guten Tag Anna,"),
        ("de", None, None, None, "Guten Tag,"),
        ("en", "mr", "Jo", "Smith", "Hello Mr Smith,"),
        ("en", None, "Jo", "Smith", "Hello Jo Smith,"),
    ],
)
def test_a_greeting_uses_what_is_known(
    language: Language, salutation: str | None, first: str | None, last: str | None, expected: str
) -> None:
    assert greeting(language, salutation, first, last) == expected


def test_samples_hold_exactly_what_the_events_give() -> None:
    for event in (InstalmentChanged, InstalmentConfirmed, InstalmentRefused):
        assert set(sample(INSTALMENTS[event])) == set(event.model_fields) - NO_VALUES


def test_only_known_templates_have_a_standard_wording() -> None:
    with pytest.raises(KeyError):
        standard("layout", "de")


def test_texts_come_in_the_readers_language_and_what_is_not_known_is_left_out() -> None:
    mail = render("task_assigned", sample_frame("en"), values_of("task_assigned"))
    assert mail.subject == "Please do: Send proof"
    without = {**values_of("task_assigned"), "info": None, "due_on": None}
    bare = render("task_assigned", replace(sample_frame("en"), contract_number=None), without)
    assert "Please by" not in bare.text + bare.html
    assert "your address was given" in bare.text


@pytest.mark.parametrize(
    ("colour", "expected"), [("#0b6e4f", "#ffffff"), ("#ffd500", "#16221c"), ("#ffffff", "#16221c")]
)
def test_a_portals_colour_is_the_mails_and_stays_readable(colour: str, expected: str) -> None:
    assert readable_on(colour) == expected
    html = render("receipt", replace(sample_frame("de"), brand=colour), values_of("receipt")).html
    assert f"background:{colour}" in html
    assert as_text(colour) == (colour if colour == "#0b6e4f" else "#16221c")
    assert f"color:{expected}" in html


def _variables(source: str) -> set[str]:
    environment = ImmutableSandboxedEnvironment()
    environment.filters |= {"money": str, "date": str}
    return meta.find_undeclared_variables(environment.parse(source))
