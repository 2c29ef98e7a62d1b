"""How a portal words a mail: always as a whole, and only when something is different."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.decider import Decider
from contracts.base import Event
from contracts.notifications import TemplateChanged
from services.notifications.wordings.state import Wordings, evolve


@dataclass(frozen=True, slots=True)
class Word:
    """The wording as it shall be; the standard one takes back what there was."""

    portal_id: str
    template: str
    wordings: Wordings


def decide(command: Word, state: Wordings) -> Sequence[Event]:
    if command.wordings == state:
        return []
    wanted = command.wordings
    return [TemplateChanged(portal_id=command.portal_id, template=command.template, de=wanted.de, en=wanted.en)]


WORDING: Decider[Word, Wordings] = Decider("template", Wordings(), decide, evolve)


def wording_id(portal_id: str, template: str) -> str:
    """The id of the stream."""
    return f"{portal_id}/{template}"
