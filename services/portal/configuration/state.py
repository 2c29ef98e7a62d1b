"""What the rules of a portal's configuration need to know: whether it exists, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.base import Event
from contracts.portal import PortalConfigured


@dataclass(frozen=True, slots=True)
class NoPortal:
    """Nobody has configured it yet."""


@dataclass(frozen=True, slots=True)
class Portal:
    """A portal as it is configured now."""

    configuration: PortalConfigured


PortalState = NoPortal | Portal


def evolve(state: PortalState, event: Event) -> PortalState:
    return Portal(event) if isinstance(event, PortalConfigured) else state
