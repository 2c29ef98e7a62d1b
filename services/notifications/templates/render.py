"""Turns a template and values into subject, HTML and text: MJML is compiled once, Jinja fills in the values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
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

FOLDER = Path(__file__).parent
LAYOUT = "layout"
BRAND = "#0b6e4f"
MAXIMUM_SUBJECT_CHARACTERS = 200

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
    contract_number: str
    division: str | None
    product: str | None


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
    """The templates there are."""
    return tuple(sorted(path.parent.name for path in FOLDER.glob("*/sample.yaml")))


def sample(name: str) -> dict[str, Any]:
    """Plausible values of a template's own variables; a name that is none of `names()` is a KeyError."""
    if name not in names():
        raise KeyError(name)
    values: dict[str, Any] = yaml.safe_load((FOLDER / name / "sample.yaml").read_text(encoding="utf-8"))
    return values


def sample_frame(language: Language) -> Frame:
    """A reader to show a template to."""
    return Frame(
        language=language,
        salutation="ms",
        first_name="Anna",
        last_name="Schmidt",
        portal_name={"de": "Mein Lindenau", "en": "My Lindenau"}[language],
        link="https://portal.example.org/contracts/4f1c2b7e",
        contract_number="V-100234",
        division="electricity",
        product="Lindenau Strom Fix",
    )


def render(name: str, frame: Frame, values: Values) -> Rendered:
    """Fills in a template. Raises jinja2.UndefinedError when a value that it names is missing."""
    compiled = _compiled(name, frame.language)
    everything = {**values, **_framed(frame)}
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


def _framed(frame: Frame) -> dict[str, Any]:
    division = DIVISIONS[frame.language].get(frame.division or "", frame.division)
    return {
        "language": frame.language,
        "brand": BRAND,
        "greeting": greeting(frame.language, frame.salutation, frame.first_name, frame.last_name),
        "portal": {"name": frame.portal_name},
        "contract": {"number": frame.contract_number, "division": division, "product": frame.product},
        "link": frame.link,
    }


@cache
def _compiled(name: str, language: Language) -> _Compiled:
    own = FOLDER / name / language
    footer = (FOLDER / LAYOUT / language / "footer.txt").read_text(encoding="utf-8").strip()

    def laid_out(suffix: str) -> str:
        layout = (FOLDER / LAYOUT / f"layout.{suffix}").read_text(encoding="utf-8")
        body = (own / f"body.{suffix}").read_text(encoding="utf-8").strip()
        return layout.replace("[[body]]", body).replace("[[footer]]", footer)

    plain, escaping = _environment(language, escape=False), _environment(language, escape=True)
    parts = "{% from 'layout/parts.html' import amounts, fact %}"
    return _Compiled(
        subject=plain.from_string((own / "subject.txt").read_text(encoding="utf-8")),
        preview=plain.from_string((own / "preview.txt").read_text(encoding="utf-8")),
        html=escaping.from_string(parts + mjml2html(laid_out("mjml"))),
        text=plain.from_string(laid_out("txt")),
    )


def _environment(language: Language, *, escape: bool) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
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

    environment.filters |= {"money": money, "date": long_date}
    return environment


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
