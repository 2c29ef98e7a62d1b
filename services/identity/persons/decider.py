"""Erasing a person: once and for good."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chassis.decider import Decider
from chassis.errors import Rejected
from contracts.base import Event
from contracts.identity import PersonErased
from services.identity.persons.state import Person, evolve

PERSON = re.compile(r"[a-z][a-z_]{0,39}/[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class ErasePerson:
    """`person` as it stands in sealed values, e.g. contact/4f1c..."""

    person: str
    reason: str


def decide(command: ErasePerson, state: Person) -> list[Event]:
    if not PERSON.fullmatch(command.person):
        raise Rejected("invalid_person", person=command.person)
    if state.erased:
        return []
    return [PersonErased(person=command.person, reason=command.reason)]


PERSONS: Decider[ErasePerson, Person] = Decider("persons", Person(), decide, evolve)
