"""The ways to say where to begin: a while ago, a point in time, or the position of an event."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from cli.problem import Problem
from contracts.ids import Position
from contracts.topics import SERVICES

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
DURATION = re.compile(r"(?:\d{1,6}[smhdw])+")

Since = datetime | Position


def parse_since(text: str, now: datetime) -> Since:
    """Reads `90s`, `1h30m`, `2026-11-21`, `2026-11-21T12:00` (UTC unless it says otherwise) or `billing/2:1234`."""
    text = text.strip()
    position = parse_position(text)
    if position:
        return position
    try:
        if DURATION.fullmatch(text):
            parts = {UNITS[unit]: int(number) for number, unit in re.findall(r"(\d+)([smhdw])", text)}
            return now - timedelta(**parts)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise Problem(
            f"{text!r} is not a place to begin.",
            "Write a duration (15m, 2h, 1d), a time (2026-11-21T12:00, UTC) or a position (billing/2:1234).",
        ) from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def parse_position(text: str) -> Position | None:
    """The position of an event, if that is what the text is."""
    try:
        position = Position.parse(text)
    except ValueError:
        return None
    return position if position.service in SERVICES else None
