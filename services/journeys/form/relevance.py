"""Which questions are asked, given the answers so far: what is hidden has no answer, whatever was sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from graphlib import TopologicalSorter

from chassis.conditions import holds
from contracts.common import Json
from contracts.conditions import paths
from services.journeys.form.document import JourneyDocument, Step

ANSWERS = "answers."

Answers = Mapping[str, Json]
Records = Mapping[str, Mapping[str, Json]]
"""Attributes by what conditions call them: `context`, the entity of the context, and `contact`."""


@dataclass(frozen=True, slots=True)
class Relevant:
    """What is asked: the fields of each step that is shown, and the answers that count."""

    shown: Mapping[str, tuple[str, ...]]
    answers: Answers


def dependencies(step: Step) -> dict[str, set[str]]:
    """For each field of a step the other fields of the step that its conditions ask for."""
    entries = step.entries()
    return {
        name: {path.removeprefix(ANSWERS) for path in paths(entry.when) if path.removeprefix(ANSWERS) in entries}
        for name, entry in entries.items()
    }


def relevant(document: JourneyDocument, answers: Answers, records: Records, now: datetime) -> Relevant:
    """Folds a journey's conditions over its answers, each field after those that it depends on."""
    kept: dict[str, Json] = {}
    facts = {**records, "answers": kept}
    shown: dict[str, tuple[str, ...]] = {}
    for step in document.steps:
        if not holds(step.when, facts, now):
            continue
        entries = step.entries()
        asked: set[str] = set()
        for name in TopologicalSorter(dependencies(step)).static_order():
            if holds(entries[name].when, facts, now):
                asked.add(name)
                if name in answers and entries[name].asks:
                    kept[name] = answers[name]
        shown[step.id] = tuple(name for name in entries if name in asked)
    return Relevant(shown, {name: kept[name] for name in document.questions() if name in kept})
