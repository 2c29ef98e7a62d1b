"""The formats that an answer can have, checked beyond its type."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time
from uuid import UUID

from jsonschema import FormatChecker
from schwifty import IBAN

EMAIL = re.compile(r"[^@\s\"<>(),;:\\\[\]]{1,64}@(?:[A-Za-z0-9ÄÖÜäöüß](?:[\wÄÖÜäöüß-]{0,61}\w)?\.)+[A-Za-z]{2,63}")
PHONE = re.compile(r"\+?[0-9][0-9 ()/.\-]{3,29}")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

FORMATS = FormatChecker(formats=())


def _matches(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or pattern.fullmatch(value) is not None


def _is_read_by(reader: Callable[[str], object]) -> Callable[[object], bool]:
    """Whether a text is understood by a reader, which raises ValueError otherwise."""

    def is_read(value: object) -> bool:
        if isinstance(value, str):
            reader(value)
        return True

    return is_read


def _date(text: str) -> object:
    if not DAY.fullmatch(text):
        raise ValueError
    return date.fromisoformat(text)


def _date_time(text: str) -> object:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError
    return text


FORMATS.checks("email")(_matches(EMAIL))
FORMATS.checks("phone")(_matches(PHONE))
FORMATS.checks("iban", raises=ValueError)(_is_read_by(IBAN))
FORMATS.checks("date", raises=ValueError)(_is_read_by(_date))
FORMATS.checks("date-time", raises=ValueError)(_is_read_by(_date_time))
FORMATS.checks("time", raises=ValueError)(_is_read_by(time.fromisoformat))
FORMATS.checks("uuid", raises=ValueError)(_is_read_by(UUID))

NAMES: tuple[str, ...] = tuple(sorted(FORMATS.checkers))
