"""Turns a wording and values into subject, HTML and text: MJML is compiled once, Jinja fills in the values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml
from babel.dates import format_date
from babel.numbers import format_currency
from jinja2 import FileSystemLoader, StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment
from mjml import mjml2html

from chassis.texts import LOCALES
from contracts.common import Language
from contracts.notifications import Wording
from services.notifications.templates.catalog import MAILS

FOLDER = Path(__file__).parent
LAYOUT = "layout"
OWN_SAMPLE = "own"
BRAND = "#0b6e4f"
DARK, LIGHT, PAGE = "#16221c", "#ffffff", "#eef2f0"
READABLE = 4.5
MAXIMUM_SUBJECT_CHARACTERS = 200
MAXIMUM_COMPILED = 500
"""Wordings that are kept ready; there are as many as templates, portals and languages."""

GREETINGS: Mapping[Language, str] = {"de": "Guten Tag", "en": "Hello"}
TITLES: Mapping[Language, Mapping[str, str]] = {"de": {"ms": "Frau", "mr": "Herr"}, "en": {"ms": "Ms", "mr": "Mr"}}
DIVISIONS: Mapping[Language, Mapping[str, str]] = {
    "de": {"electricity": "Strom", "gas": "Gas", "water": "Wasser", "heat": "Wärme"},
    "en": {"electricity": "Electricity", "gas": "Gas", "water": "Water", "heat": "Heat"},
}

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Frame:
    """What every mail shows beside its own values."""

    language: Language
    salutation: str | None
    first_name: str | None
    last_name: str | None
    portal_name: str
    link: str
    contract_number: str | None
    division: str | None
    product: str | None
    brand: str = BRAND
    to_staff: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail as its reader gets it. The subject is one line without control characters."""

    subject: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class _Compiled:
    subject: Template
    preview: Template
    html: Template
    text: Template


def names() -> tuple[str, ...]:
    """The templates that there are for everybody."""
    return tuple(MAILS)


@cache
def standard(name: str, language: Language) -> Wording:
    """The wording of a template as it comes with Portico; a name that is none of `names()` is a KeyError."""
    if name not in MAILS:
        raise KeyError(name)
    own = FOLDER / name / language
    files = {"subject": "subject.txt", "preview": "preview.txt", "body": "body.mjml", "text": "body.txt"}
    return Wording(**{field: (own / file).read_text(encoding="utf-8").strip() for field, file in files.items()})


def sample(name: str) -> dict[str, Any]:
    """Plausible values of a template's own variables; for a portal's own mail those that every such mail has."""
    folder = FOLDER / (name if name in MAILS else OWN_SAMPLE)
    values: dict[str, Any] = yaml.safe_load((folder / "sample.yaml").read_text(encoding="utf-8")) or {}
    return values


def sample_frame(language: Language, name: str = "", portal_name: str | None = None, brand: str = BRAND) -> Frame:
    """A reader to show a template to."""
    to_staff = name == "task_done"
    return Frame(
        language=language,
        salutation=None if to_staff else "ms",
        first_name="Anna",
        last_name="Schmidt",
        portal_name=portal_name or {"de": "Mein Lindenau", "en": "My Lindenau"}[language],
        link="https://portal.example.org/contracts/4f1c2b7e",
        contract_number="V-100234",
        division="electricity",
        product="Lindenau Strom Fix",
        brand=brand,
        to_staff=to_staff,
    )


def render(name: str, frame: Frame, values: Values, wording: Wording | None = None) -> Rendered:
    """Fills in a template, or another wording of it. Raises jinja2.UndefinedError when a value that it names is
    missing."""
    compiled = _compiled(wording or standard(name, frame.language), frame.language)
    everything = {**_localised(values, frame.language), **variables(frame)}
    subject = one_line(compiled.subject.render(everything))
    preview = compiled.preview.render(everything).strip()
    return Rendered(
        subject=subject,
        html=compiled.html.render(everything, subject=subject, preview=preview),
        text=_tidy(compiled.text.render(everything)),
    )


def one_line(text: str, limit: int = MAXIMUM_SUBJECT_CHARACTERS) -> str:
    """Text that can stand in a header: line breaks and other controls become blanks, overlong text is cut.

    What looks like an encoded word (RFC 2047) is broken up: Python's email package would decode it, breaks and all.
    """
    plain = "".join(" " if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else char for char in text)
    return re.sub(r"\s+", " ", plain).replace("=?", "= ?").strip()[:limit]


def greeting(language: Language, salutation: str | None, first_name: str | None, last_name: str | None) -> str:
    """How a mail begins; names that are not known are left out."""
    title = TITLES[language].get(salutation or "")
    words = [title, last_name] if title and last_name else [first_name, last_name]
    return " ".join([GREETINGS[language], *(one_line(word) for word in words if word)]) + ","


def readable_on(colour: str) -> str:
    """Black or white, whichever has more contrast on a colour `#rrggbb`."""
    return LIGHT if contrast(colour, LIGHT) >= contrast(colour, DARK) else DARK


def as_text(colour: str) -> str:
    """A colour as text on the page, or black where it would be too pale to read (WCAG 2.2, 1.4.3)."""
    return colour if contrast(colour, PAGE) >= READABLE else DARK


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours `#rrggbb` (WCAG 2.2)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def variables(frame: Frame) -> dict[str, Any]:
    """What every mail can name."""
    division = DIVISIONS[frame.language].get(frame.division or "", frame.division)
    return {
        "language": frame.language,
        "brand": frame.brand,
        "on_brand": readable_on(frame.brand),
        "brand_text": as_text(frame.brand),
        "to_staff": frame.to_staff,
        "greeting": greeting(frame.language, frame.salutation, frame.first_name, frame.last_name),
        "portal": {"name": frame.portal_name},
        "contract": {"number": frame.contract_number, "division": division, "product": frame.product},
        "link": frame.link,
    }


def _localised(values: Values, language: Language) -> dict[str, Any]:
    """Texts in the language of the reader."""
    return {
        name: value[language] if isinstance(value, dict) and set(value) == {"de", "en"} else value
        for name, value in values.items()
    }


@lru_cache(MAXIMUM_COMPILED)
def _compiled(wording: Wording, language: Language) -> _Compiled:
    footer = (FOLDER / LAYOUT / language / "footer.txt").read_text(encoding="utf-8").strip()

    def laid_out(suffix: str, body: str) -> str:
        layout = (FOLDER / LAYOUT / f"layout.{suffix}").read_text(encoding="utf-8")
        return layout.replace("[[footer]]", footer).replace("[[body]]", body)

    plain, escaping = environment(language, escape=False), environment(language, escape=True)
    parts = "{% from 'layout/parts.html' import amounts, fact %}"
    return _Compiled(
        subject=plain.from_string(wording.subject),
        preview=plain.from_string(wording.preview),
        html=escaping.from_string(parts + mjml2html(laid_out("mjml", wording.body))),
        text=plain.from_string(laid_out("txt", wording.text)),
    )


@cache
def environment(language: Language, *, escape: bool) -> ImmutableSandboxedEnvironment:
    """Where templates run: no attributes of Python's, nothing that can be changed, nothing that is undefined."""
    made = ImmutableSandboxedEnvironment(
        autoescape=escape,
        undefined=StrictUndefined,
        loader=FileSystemLoader(FOLDER),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    locale = LOCALES[language]

    def money(cents: int, currency: str) -> str:
        return format_currency(Decimal(int(cents)) / 100, str(currency), locale=locale)

    def long_date(value: date | str) -> str:
        return format_date(date.fromisoformat(str(value)), "long", locale=locale)

    made.filters |= {"money": money, "date": long_date}
    return made


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
