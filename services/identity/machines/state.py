"""What the rules know of a machine."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.base import Event
from contracts.identity import MachineRegistered, MachineRevoked, MachineRole


@dataclass(frozen=True, slots=True)
class NoMachine:
    """Not registered yet."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Gets tokens of its role."""

    role: MachineRole


@dataclass(frozen=True, slots=True)
class Revoked:
    """Gets no more tokens, ever."""


MachineState = NoMachine | Machine | Revoked


def evolve(state: MachineState, event: Event) -> MachineState:
    match event:
        case MachineRegistered(role=role):
            return Machine(role)
        case MachineRevoked():
            return Revoked()
        case _:
            return state
