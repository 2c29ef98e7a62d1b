"""Permissions of each portal, from its configuration."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from chassis.views import View
from contracts.envelope import Envelope
from contracts.portal import Permission, PortalConfigured


class PortalPermissions(BaseModel):
    """What the users of a portal may see and change, by entity."""

    model_config = ConfigDict(frozen=True)

    portal_id: str
    enabled: bool
    permissions: dict[str, Permission]


def _key(envelope: Envelope) -> str | None:
    return envelope.event.portal_id if isinstance(envelope.event, PortalConfigured) else None


def _evolve(known: PortalPermissions | None, envelope: Envelope) -> PortalPermissions | None:
    event = envelope.event
    if not isinstance(event, PortalConfigured):
        return known
    return PortalPermissions(portal_id=event.portal_id, enabled=event.enabled, permissions=event.permissions)


PORTALS = View("portals", 1, PortalPermissions, (PortalConfigured,), _key, _evolve)
