"""What the rules know of a member of staff."""

from __future__ import annotations

from dataclasses import dataclass, replace

from contracts.base import Event, known
from contracts.common import Language
from contracts.identity import StaffBlocked, StaffChanged, StaffPasswordChanged, StaffRegistered, StaffUnblocked


@dataclass(frozen=True, slots=True)
class NoMember:
    """Nobody is registered here."""


@dataclass(frozen=True, slots=True)
class Member:
    """A session is good only in the `epoch` in which it began."""

    email: str | None
    name: str | None
    groups: tuple[str, ...]
    roles: tuple[str, ...]
    language: Language
    blocked: bool = False
    epoch: int = 0


MemberState = NoMember | Member


def evolve(state: MemberState, event: Event) -> MemberState:
    if isinstance(event, StaffRegistered):
        return Member(known(event.email), known(event.name), event.groups, event.roles, event.language)
    if isinstance(state, NoMember):
        return state
    match event:
        case StaffChanged(groups=groups, roles=roles):
            return replace(state, groups=groups, roles=roles)
        case StaffPasswordChanged():
            return replace(state, epoch=state.epoch + 1)
        case StaffBlocked():
            return replace(state, blocked=True, epoch=state.epoch + 1)
        case StaffUnblocked():
            return replace(state, blocked=False)
        case _:
            return state
