"""How a portal's configuration changes: always as a whole, and only when something is different."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from chassis.decider import Decider
from chassis.errors import NotFound
from contracts.base import Event
from contracts.portal import InstalmentSettings, PortalConfigured
from services.portal.configuration.state import NoPortal, Portal, PortalState, evolve


@dataclass(frozen=True, slots=True)
class Configure:
    """The whole configuration as it shall be."""

    configuration: PortalConfigured


@dataclass(frozen=True, slots=True)
class SetInstalments:
    """Other rules for instalments; everything else stays."""

    instalments: InstalmentSettings


Command = Configure | SetInstalments


def decide(command: Command, state: PortalState) -> Sequence[Event]:
    match command:
        case Configure(configuration):
            return changed(configuration, state)
        case SetInstalments(instalments):
            if isinstance(state, NoPortal):
                raise NotFound("portal_not_found")
            return changed(state.configuration.model_copy(update={"instalments": instalments}), state)
        case _:
            assert_never(command)


def changed(configuration: PortalConfigured, state: PortalState) -> Sequence[Event]:
    return [] if state == Portal(configuration) else [configuration]


PORTAL: Decider[Command, PortalState] = Decider("portal", NoPortal(), decide, evolve)
