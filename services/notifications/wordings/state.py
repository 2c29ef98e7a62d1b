"""What the rules of a wording need to know: how it stands."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.base import Event
from contracts.notifications import TemplateChanged, Wording


@dataclass(frozen=True, slots=True)
class Wordings:
    """A template in one portal; None: the standard wording."""

    de: Wording | None = None
    en: Wording | None = None

    @property
    def is_standard(self) -> bool:
        return self.de is None and self.en is None


def evolve(state: Wordings, event: Event) -> Wordings:
    return Wordings(event.de, event.en) if isinstance(event, TemplateChanged) else state
