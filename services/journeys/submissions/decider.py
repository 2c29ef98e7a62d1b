"""Sending a submission: it happens once, however often it is tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from chassis.decider import Decider
from contracts.base import Event
from contracts.journeys import FilesDeleted, JourneySubmitted
from services.journeys.submissions.state import NotSubmitted, SubmissionState, Submitted, evolve


@dataclass(frozen=True, slots=True)
class Submit:
    """A submission whose answers are right, with everything that follows from them."""

    submitted: JourneySubmitted


@dataclass(frozen=True, slots=True)
class DeleteFiles:
    """Files of a submission are gone."""

    submission_id: str
    file_ids: tuple[str, ...]


Command = Submit | DeleteFiles


def decide(command: Command, state: SubmissionState) -> Sequence[Event]:
    match command:
        case Submit(submitted):
            return [submitted] if isinstance(state, NotSubmitted) else []
        case DeleteFiles():
            there = state.files if isinstance(state, Submitted) else frozenset[str]()
            gone = tuple(file_id for file_id in command.file_ids if file_id in there)
            return [FilesDeleted(submission_id=command.submission_id, file_ids=gone)] if gone else []
        case _:
            assert_never(command)


SUBMISSION: Decider[Command, SubmissionState] = Decider("submission", NotSubmitted(), decide, evolve)
