"""The portals that exist, as a list for staff."""

from __future__ import annotations

from chassis.views import View, ViewReader
from contracts.envelope import Envelope
from contracts.portal import PortalConfigured


def key(envelope: Envelope) -> str | None:
    return envelope.event.portal_id if isinstance(envelope.event, PortalConfigured) else None


def evolve(document: PortalConfigured | None, envelope: Envelope) -> PortalConfigured | None:
    return envelope.event if isinstance(envelope.event, PortalConfigured) else document


PORTALS = View("portals", 1, PortalConfigured, (PortalConfigured,), key, evolve)


async def list_portals(portals: ViewReader[PortalConfigured], after: str, limit: int) -> list[PortalConfigured]:
    """Portals in the order of their ids, those behind `after`."""
    return await portals.find("key > %s", [after], limit=limit)
