"""Raw values of files and requests become the values of a schema's attributes, or are refused with a code."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from decimal import Decimal

from chassis.errors import Rejected
from contracts.common import Json
from services.entities.schema import Attribute, AttributeType, fold_name

LIST_SEPARATOR = "|"
_EMAIL = re.compile(r"[^@\s\"<>(),;:\\\[\]]{1,64}@(?:[A-Za-z0-9ÄÖÜäöüß](?:[\wÄÖÜäöüß-]{0,61}\w)?\.)+[A-Za-z]{2,63}")
_PHONE = re.compile(r"\+?[0-9][0-9 ()/.\-]{3,29}")
_GERMAN_DATE = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,9})?", re.ASCII)
_ISO_PERIOD = re.compile(r"P(?=\d)(\d{1,2}Y)?(\d{1,3}M)?(\d{1,3}W)?(\d{1,4}D)?", re.ASCII)
_SAID_PERIOD = re.compile(r"(\d{1,3}) ?(jahr|year|monat|month|woche|week|tag|day)(en|n|e|s)?", re.ASCII)
_UNITS = {"jahr": "Y", "year": "Y", "monat": "M", "month": "M", "woche": "W", "week": "W", "tag": "D", "day": "D"}
_YES = {"true", "1", "ja", "yes", "x", "wahr"}
_NO = {"false", "0", "nein", "no", "falsch"}


def parse(name: str, attribute: Attribute, raw: object) -> Json:
    """The value of an attribute, None for nothing. Dates become ISO texts, whole numbers integers.

    Raises Rejected with a code `invalid_...` and the attribute's name; never with the value, which may be personal.
    """
    if isinstance(raw, str):
        raw = raw.strip()
    if raw is None or raw in ("", [], ()):
        return None
    try:
        return _PARSERS[attribute.type](attribute, raw)
    except _Refused as refused:
        raise Rejected(refused.code, attribute=name, **refused.facts) from None


class _Refused(Exception):
    def __init__(self, code: str, **facts: object) -> None:
        self.code = code
        self.facts = facts


def _text(attribute: Attribute, raw: object) -> str:
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        raw = str(raw)
    if not isinstance(raw, str):
        raise _Refused("invalid_text")
    if len(raw) > attribute.max_length:
        raise _Refused("invalid_length", longest=attribute.max_length)
    if not raw.isprintable() and any(_is_unprintable(character) for character in raw):
        raise _Refused("invalid_text")
    return unicodedata.normalize("NFC", raw)


def _is_unprintable(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs"} and character not in "\n\t"


def _email(attribute: Attribute, raw: object) -> str:
    text = _text(attribute, raw)
    if not _EMAIL.fullmatch(text):
        raise _Refused("invalid_email")
    return text


def _phone(attribute: Attribute, raw: object) -> str:
    text = " ".join(_text(attribute, raw).split())
    if not _PHONE.fullmatch(text):
        raise _Refused("invalid_phone")
    return text


def _date(attribute: Attribute, raw: object) -> str:
    text = _text(attribute, raw)
    try:
        if german := _GERMAN_DATE.fullmatch(text):
            day, month, year = map(int, german.groups())
            return date(year, month, day).isoformat()
        if _ISO_DATE.fullmatch(text):
            return date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise _Refused("invalid_date")


def _number(_: Attribute, raw: object) -> int | float:
    """`1234,5`, `1.234,5` and `1234.5`: a comma is always the decimal comma, and points before it group thousands."""
    text = "".join(str(raw).split())
    if "," in text:
        text = text.replace(".", "").replace(",", ".", 1)
    if isinstance(raw, bool) or not _NUMBER.fullmatch(text):
        raise _Refused("invalid_number")
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else float(number)


def _boolean(_: Attribute, raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    folded = str(raw).casefold()
    if folded not in _YES | _NO:
        raise _Refused("invalid_boolean")
    return folded in _YES


def _period(attribute: Attribute, raw: object) -> str:
    """`P1M`, `P6W`, `P14D` (ISO 8601), also written `1 Monat`, `6 weeks`, `14 Tage`."""
    text = _text(attribute, raw)
    if _ISO_PERIOD.fullmatch(text):
        return text
    if said := _SAID_PERIOD.fullmatch(" ".join(text.casefold().split())):
        return f"P{said[1]}{_UNITS[said[2]]}"
    raise _Refused("invalid_period")


def _choice(attribute: Attribute, raw: object) -> str:
    wanted = fold_name(raw) if isinstance(raw, str) else ""
    for option, label in attribute.options.items():
        if wanted in {fold_name(option), fold_name(label.de), fold_name(label.en)}:
            return option
    raise _Refused("invalid_choice", options=list(attribute.options))


def _choices(attribute: Attribute, raw: object) -> Json:
    """Several options, in the order of the schema; in one text they are separated by `|`."""
    items = raw.split(LIST_SEPARATOR) if isinstance(raw, str) else raw
    if not isinstance(items, list | tuple):
        raise _Refused("invalid_choice", options=list(attribute.options))
    chosen = {_choice(attribute, item) for item in items}
    return [option for option in attribute.options if option in chosen]


_PARSERS: dict[AttributeType, Callable[[Attribute, object], Json]] = {
    "text": _text,
    "email": _email,
    "phone": _phone,
    "date": _date,
    "number": _number,
    "boolean": _boolean,
    "period": _period,
    "choice": _choice,
    "choices": _choices,
}
