"""The portals that exist, by what decides about reads of their users: without logo and texts, which are large."""

from __future__ import annotations

from chassis.views import View, ViewReader
from contracts.envelope import Envelope
from contracts.portal import PortalConfigured

Portals = ViewReader[PortalConfigured]


def key(envelope: Envelope) -> str | None:
    return envelope.event.portal_id if isinstance(envelope.event, PortalConfigured) else None


def evolve(document: PortalConfigured | None, envelope: Envelope) -> PortalConfigured | None:
    event = envelope.event
    if not isinstance(event, PortalConfigured):
        return document
    return event.model_copy(update={"design": event.design.model_copy(update={"logo": None}), "texts": {}})


PORTALS = View("portals", 2, PortalConfigured, (PortalConfigured,), key, evolve)


async def list_portals(portals: Portals, after: str, limit: int) -> list[str]:
    """The ids of portals in their order, those behind `after`."""
    return [portal.portal_id for portal in await portals.find("key > %s", [after], limit=limit)]


async def find_portal(portals: Portals, portal_id: str | None, audience: str) -> PortalConfigured | None:
    """A portal by its id; for who comes from no portal, the first one of his audience."""
    if portal_id is not None:
        return await portals.get(portal_id)
    return next(iter(await portals.find("doc->>'audience' = %s", [audience], limit=1)), None)
