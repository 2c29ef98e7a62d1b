"""Sentences for people: a stable code becomes German or English, with its figures as people write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal

from contracts.common import Language

LANGUAGES: tuple[Language, ...] = ("de", "en")
LOCALES: Mapping[Language, str] = {"de": "de", "en": "en_GB"}
ZONE = ZoneInfo("Europe/Berlin")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader in C where there is one: ten times as fast."""
YES_NO: Mapping[Language, tuple[str, str]] = {"de": ("ja", "nein"), "en": ("yes", "no")}


class InvalidTexts(ValueError):
    """A file of texts that lacks a language, or whose languages name different facts."""


@dataclass(frozen=True)
class Texts:
    """Sentences by code and language. `{fact}` in a sentence is replaced by the fact, formatted for people."""

    sentences: Mapping[str, Mapping[Language, str]]

    @classmethod
    def load(cls, path: Path) -> Texts:
        """Reads `code: {de: ..., en: ...}` from YAML; raises InvalidTexts that names every mistake."""
        return cls.of(yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER) or {}, path.name)  # noqa: S506 it is safe

    @classmethod
    def of(cls, sentences: Any, source: str = "texts") -> Texts:
        """Checks sentences that come from elsewhere than a file; raises InvalidTexts."""
        if not isinstance(sentences, Mapping):
            raise InvalidTexts(f"{source}: expected `code: {{de: ..., en: ...}}`")
        mistakes = [mistake for code, by_language in sentences.items() for mistake in _mistakes(code, by_language)]
        if mistakes:
            raise InvalidTexts("\n".join(f"{source}: {mistake}" for mistake in mistakes))
        return cls(sentences)

    def __or__(self, other: Texts) -> Texts:
        """Both; where both have a code, the other's sentence."""
        return Texts({**self.sentences, **other.sentences})

    def __contains__(self, code: object) -> bool:
        return code in self.sentences

    def say(self, code: str, language: Language, facts: Mapping[str, object] | None = None) -> str | None:
        """The sentence of a code, or None when there is none or a fact that it names is missing."""
        sentence = self.sentences.get(code)
        if sentence is None:
            return None
        facts = facts or {}
        try:
            return sentence[language].format_map(
                {name: format_fact(name, facts[name], language, facts) for name in _names(sentence[language])}
            )
        except KeyError:
            return None


def format_fact(name: str, value: object, language: Language, facts: Mapping[str, object]) -> str:
    """A fact as people write it: `*_cents` as money of the fact `currency` (EUR), dates and times by locale in Berlin.

    `*_id`, `*_year` and texts stay as they are, other numbers get the separators of the locale.
    """
    locale = LOCALES[language]
    match value:
        case None:
            return "–"
        case bool():
            return YES_NO[language][0 if value else 1]
        case int() if name.endswith("_cents"):
            return format_currency(Decimal(value) / 100, str(facts.get("currency", "EUR")), locale=locale)
        case int() if name.endswith(("_id", "_year")):
            return str(value)
        case int() | float() | Decimal():
            return format_decimal(value, locale=locale)
        case datetime():
            return format_datetime(value, "medium", tzinfo=ZONE, locale=locale)
        case date():
            return format_date(value, "medium", locale=locale)
        case list() | tuple() | set() | frozenset():
            return ", ".join(format_fact(name, item, language, facts) for item in value)
        case _:
            return str(value)


def language_of(accept_language: str | None, default: Language = "en") -> Language:
    """The language of the portals that an Accept-Language header prefers (RFC 9110, 12.5.4)."""
    best: tuple[float, Language] = (0.0, default)
    for part in (accept_language or "")[:200].split(","):
        tag, _, parameters = part.strip().partition(";")
        primary = tag.strip().lower().partition("-")[0]
        quality = _quality(parameters)
        for language in LANGUAGES:
            if primary == language and quality > best[0]:
                best = (quality, language)
    return best[1]


def _quality(parameters: str) -> float:
    name, _, number = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(max(float(number), 0.0), 1.0)
    except ValueError:
        return 0.0


def _mistakes(code: object, by_language: object) -> Iterable[str]:
    if not isinstance(code, str) or not isinstance(by_language, Mapping):
        yield f"{code}: expected {{de: ..., en: ...}}"
        return
    if set(by_language) != set(LANGUAGES):
        yield f"{code}: expected exactly the languages {', '.join(LANGUAGES)}"
        return
    names: dict[str, set[str]] = {}
    for language, sentence in by_language.items():
        if not isinstance(sentence, str) or not sentence.strip():
            yield f"{code}: the text in {language} is empty or no text"
            return
        try:
            names[language] = _names(sentence)
        except ValueError as error:
            yield f"{code}: the text in {language} cannot be read: {error}"
            return
        if wrong := sorted(name for name in names[language] if not name.isidentifier()):
            yield f"{code}: the text in {language} names {wrong[0]!r}, which is no fact"
    if names["de"] != names["en"]:
        yield f"{code}: the languages name different facts: {', '.join(sorted(names['de'] ^ names['en']))}"


def _names(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}
