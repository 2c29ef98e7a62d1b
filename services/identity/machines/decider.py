"""Registering a machine, changing its secret, revoking it. The secret itself is nowhere here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import assert_never

from chassis.decider import Decider
from chassis.errors import NotFound, Rejected
from contracts.base import Event
from contracts.identity import MachineRegistered, MachineRevoked, MachineRole, MachineSecretChanged
from services.identity.machines.state import Machine, MachineState, NoMachine, Revoked, evolve

MACHINE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class RegisterMachine:
    machine_id: str
    name: str
    role: MachineRole


@dataclass(frozen=True, slots=True)
class ChangeSecret:
    machine_id: str


@dataclass(frozen=True, slots=True)
class RevokeMachine:
    machine_id: str


MachineCommand = RegisterMachine | ChangeSecret | RevokeMachine


def decide(command: MachineCommand, state: MachineState) -> list[Event]:
    match command:
        case RegisterMachine():
            if not MACHINE_NAME.fullmatch(command.name):
                raise Rejected("invalid_machine_name", name=command.name)
            if not isinstance(state, NoMachine):
                raise Rejected("machine_exists", name=command.name)
            return [MachineRegistered(machine_id=command.machine_id, name=command.name, role=command.role)]
        case ChangeSecret():
            _require(command.machine_id, state)
            return [MachineSecretChanged(machine_id=command.machine_id)]
        case RevokeMachine():
            if isinstance(state, Revoked):
                return []
            _require(command.machine_id, state)
            return [MachineRevoked(machine_id=command.machine_id)]
        case _:
            assert_never(command)


def _require(machine_id: str, state: MachineState) -> None:
    match state:
        case NoMachine():
            raise NotFound("machine_not_found", machine_id=machine_id)
        case Revoked():
            raise Rejected("machine_revoked", machine_id=machine_id)
        case Machine():
            return
        case _:
            assert_never(state)


MACHINES: Decider[MachineCommand, MachineState] = Decider("machines", NoMachine(), decide, evolve)
