"""Registering members of staff, their groups and roles, blocking them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never, get_args

from chassis.decider import Decider
from chassis.errors import NotFound, Rejected
from contracts.base import Event
from contracts.common import Language
from contracts.identity import (
    StaffBlocked,
    StaffChanged,
    StaffPasswordChanged,
    StaffRegistered,
    StaffRole,
    StaffUnblocked,
)
from services.identity.staff.state import Member, MemberState, NoMember, evolve

GROUP = re.compile(r"[a-z][a-z0-9_]{0,39}")
ROLES: tuple[StaffRole, ...] = get_args(StaffRole)
MAXIMUM_GROUPS = 50


@dataclass(frozen=True, slots=True)
class RegisterStaff:
    staff_id: str
    email: str
    name: str
    groups: tuple[str, ...]
    roles: tuple[str, ...]
    language: Language


@dataclass(frozen=True, slots=True)
class ChangeStaff:
    staff_id: str
    groups: tuple[str, ...]
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangeStaffPassword:
    staff_id: str


@dataclass(frozen=True, slots=True)
class BlockStaff:
    staff_id: str


@dataclass(frozen=True, slots=True)
class UnblockStaff:
    staff_id: str


StaffCommand = RegisterStaff | ChangeStaff | ChangeStaffPassword | BlockStaff | UnblockStaff


def decide(command: StaffCommand, state: MemberState) -> Sequence[Event]:
    if isinstance(command, RegisterStaff):
        if isinstance(state, Member):
            raise Rejected("staff_exists")
        groups, roles = _checked(command.groups, command.roles)
        return [
            StaffRegistered(
                staff_id=command.staff_id,
                person=f"staff/{command.staff_id}",
                email=command.email,
                name=command.name,
                groups=groups,
                roles=roles,
                language=command.language,
            )
        ]
    if isinstance(state, NoMember):
        raise NotFound("staff_not_found")
    match command:
        case ChangeStaff():
            groups, roles = _checked(command.groups, command.roles)
            if (groups, roles) == (state.groups, state.roles):
                return []
            return [StaffChanged(staff_id=command.staff_id, groups=groups, roles=roles)]
        case ChangeStaffPassword():
            return [StaffPasswordChanged(staff_id=command.staff_id)]
        case BlockStaff():
            return [] if state.blocked else [StaffBlocked(staff_id=command.staff_id)]
        case UnblockStaff():
            return [StaffUnblocked(staff_id=command.staff_id)] if state.blocked else []
        case _:
            assert_never(command)


def _checked(groups: Sequence[str], roles: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Both without repetitions, in order."""
    for group in groups:
        if not GROUP.fullmatch(group):
            raise Rejected("invalid_group", group=group[:100])
    if len(set(groups)) > MAXIMUM_GROUPS:
        raise Rejected("invalid_groups", limit=MAXIMUM_GROUPS)
    if not roles or any(role not in ROLES for role in roles):
        raise Rejected("invalid_roles", roles=list(ROLES))
    return tuple(sorted(set(groups))), tuple(role for role in ROLES if role in roles)


STAFF: Decider[StaffCommand, MemberState] = Decider("staff", NoMember(), decide, evolve)
