"""What is known when it is a step's turn; it comes in with every command that lets a process go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from chassis.texts import ZONE
from contracts.processes import Audience


@dataclass(frozen=True)
class Situation:
    """Attributes of record, contact, installer and submission by their names, the contacts behind roles, the time."""

    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    contacts: Mapping[Audience, str] = field(default_factory=dict)
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    @property
    def today(self) -> date:
        """The day in the zone of the portals."""
        return self.now.astimezone(ZONE).date()
