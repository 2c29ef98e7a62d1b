"""What the rules need to know of a submission: whether it was sent, and which files it still has."""

from __future__ import annotations

from dataclasses import dataclass, replace

from contracts.base import Event
from contracts.journeys import FilesDeleted, JourneySubmitted


@dataclass(frozen=True, slots=True)
class NotSubmitted:
    """At most a draft."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """Sent, once and for all."""

    reference: str
    files: frozenset[str]


SubmissionState = NotSubmitted | Submitted


def evolve(state: SubmissionState, event: Event) -> SubmissionState:
    match event:
        case JourneySubmitted():
            return Submitted(event.reference, frozenset(file.file_id for file in event.files))
        case FilesDeleted() if isinstance(state, Submitted):
            return replace(state, files=state.files.difference(event.file_ids))
        case _:
            return state
