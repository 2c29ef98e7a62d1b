"""Templates, texts and the formats of the two languages."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.ext import Extension
from markupsafe import Markup

from chassis.texts import LANGUAGES, LOCALES, ZONE, InvalidTexts, Texts
from gateway.api import Away
from gateway.assets import Assets
from gateway.visit import Visit

HERE = Path(__file__).parent
LOOKED_EVERY_SECONDS = 1.0
CURRENT: ContextVar[Visit] = ContextVar("the visit whose page is rendered")
HYPHENATED = re.compile(r"\b([Ee])-(?=[Mm]ail)")


class Rendering:
    """Renders pages. In development what has changed on disk is read again."""

    def __init__(self, development: bool = False) -> None:
        self._development = development
        self._looked_at = time.monotonic()
        self._read()

    def _read(self) -> None:
        self.assets = Assets()
        self.texts = load_texts()
        self._environment = _environment(self)
        self._seen = self._newest()

    def render(self, template: str, visit: Visit, context: Mapping[str, Any]) -> str:
        if self._development and time.monotonic() - self._looked_at > LOOKED_EVERY_SECONDS:
            self._looked_at = time.monotonic()
            if self._newest() != self._seen:
                self._read()
        token = CURRENT.set(visit)
        try:
            return self._environment.get_template(template).render({**context, "visit": visit})
        finally:
            CURRENT.reset(token)

    def say(self, visit: Visit, key: str, **facts: Any) -> str:
        """The text of a key in the visitor's language; a portal's own text comes first. Raises KeyError.

        Facts named `*_on` are dates, also as the APIs write them.
        """
        own = visit.site.look.get("texts", {}).get(key)
        if own and own.get(visit.language):
            return str(own[visit.language])
        dated = {name: _day(fact) if name.endswith("_on") else fact for name, fact in facts.items()}
        sentence = self.texts.say(key, visit.language, dated)
        if sentence is None:
            raise KeyError(f"text {key!r} is missing, or a fact of it")
        return sentence

    @staticmethod
    def _newest() -> tuple[int, float]:
        files = [path for path in HERE.rglob("*") if path.suffix in {".html", ".css", ".js", ".yaml", ".svg"}]
        return len(files), max((path.stat().st_mtime for path in files), default=0.0)


def load_texts() -> Texts:
    """All catalogues as one. Raises InvalidTexts, also for a key that two of them have."""
    texts = Texts({})
    for path in sorted((HERE / "texts").glob("*.yaml")):
        more = Texts.load(path)
        if twice := sorted(key for key in more.sentences if key in texts):
            raise InvalidTexts(f"{path.name}: {twice[0]} is in another catalogue, too")
        texts |= more
    return Texts({key: {each: typeset(said[each]) for each in LANGUAGES} for key, said in texts.sentences.items()})


def typeset(words: str) -> str:
    """No line ends within "E-Mail", nor before a dot that joins."""
    return HYPHENATED.sub("\\1\N{NON-BREAKING HYPHEN}", words).replace(" · ", "\N{NO-BREAK SPACE}· ")


class _Typeset(Extension):
    """What stands in a template is set as the texts of the catalogues are."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return typeset(source)


class _CurrentVisit:
    """The visit of the page that is being rendered, for macros, which see globals only."""

    def __getattr__(self, name: str) -> Any:
        return getattr(CURRENT.get(), name)


def _environment(rendering: Rendering) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([HERE, HERE / "pages"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[_Typeset],
        optimized=False,  # it would work out filters of plain figures once, in the first visitor's language
    )
    environment.globals |= {
        "t": lambda key, **facts: rendering.say(CURRENT.get(), key, **facts),
        "visit": _CurrentVisit(),
        "asset": rendering.assets.address,
        "new_press": lambda: secrets.token_urlsafe(18),
        "now": lambda: datetime.now(UTC),
        "ui": (components := SimpleNamespace()),
    }
    environment.filters |= {
        "text": text,
        "money": money,
        "number": number,
        "date": long_date,
        "short_date": short_date,
        "day": day,
        "moment": moment,
        "lines": lines,
    }
    environment.tests["away"] = lambda part: isinstance(part, Away)
    for path in sorted((HERE / "components").glob("*.html")):
        module = environment.get_template(f"components/{path.name}").module
        for name, macro in vars(module).items():
            if not name.startswith("_"):
                setattr(components, name, macro)
    return environment


def text(said: Mapping[str, str | None] | None) -> str:
    """A text of several languages in the visitor's; in the other one where that is all there is."""
    if not said:
        return ""
    language = CURRENT.get().language
    return said.get(language) or next((each for each in said.values() if each), "") or ""


def money(cents: int | None, currency: str = "EUR") -> str:
    return "–" if cents is None else format_currency(cents / 100, currency, locale=_locale())


def number(value: float | None) -> str:
    return "–" if value is None else format_decimal(value, locale=_locale())


def long_date(value: str | date | None) -> Markup:
    """A day in words: 3. Dezember 2026, 3 December 2026."""
    return _time(value, "long")


def short_date(value: str | date | None) -> Markup:
    """A day for tables: 03.12.2026, 3 Dec 2026."""
    return _time(value, "medium")


def day(value: str | date | None) -> Markup:
    """A day as people say it when it is near: today, tomorrow, yesterday; else in words."""
    found = _day(value)
    near = {-1: "day.yesterday", 0: "day.today", 1: "day.tomorrow"}
    if found is not None and (key := near.get((found - datetime.now(ZONE).date()).days)):
        word = CURRENT.get().say(key)
        return Markup('<time datetime="{}">{}</time>').format(found.isoformat(), word)
    return _time(value, "long")


def moment(value: str | datetime | None) -> Markup:
    """A day and a time in Berlin."""
    if value is None:
        return Markup("–")
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    shown = format_datetime(found, "medium", tzinfo=ZONE, locale=_locale())
    shown = re.sub(r"(\d{1,2}:\d{2}):\d{2}", r"\1", shown)
    return Markup('<time datetime="{}">{}</time>').format(found.isoformat(), shown)


def lines(value: str | None) -> Markup:
    """A text of several lines with its line breaks."""
    return Markup("<br>").join((value or "").splitlines())


def _time(value: str | date | None, form: str) -> Markup:
    found = _day(value)
    if found is None:
        return Markup("–")
    shown = format_date(found, form, locale=_locale())
    return Markup('<time datetime="{}">{}</time>').format(found.isoformat(), shown)


def _day(value: str | date | None) -> date | None:
    match value:
        case None | "":
            return None
        case datetime():
            return value.astimezone(ZONE).date()
        case date():
            return value
        case _:
            return datetime.fromisoformat(value).astimezone(ZONE).date() if "T" in value else date.fromisoformat(value)


def _locale() -> str:
    return LOCALES[CURRENT.get().language]
