"""Whether a person is erased."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.base import Event
from contracts.identity import PersonErased


@dataclass(frozen=True, slots=True)
class Person:
    erased: bool = False


def evolve(state: Person, event: Event) -> Person:
    return Person(erased=True) if isinstance(event, PersonErased) else state
