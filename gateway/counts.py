"""How much waits for whoever is signed in, for the navigation: asked beside a page, and never worth a failure of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from gateway.api import Away, Refused, SessionOver
from gateway.visit import Visit

PATIENCE_SECONDS = 1.0
OF_STAFF = ("portal", "/staff/overview", {"users": "waiting_users", "tasks": "open_tasks", "failures": "failures"})
OF_USER = ("portal", "/me", {"tasks": "open_tasks", "notices": "unread_notices"})
"""Which answer tells it, and there by the page that shows them all."""
Counts = Mapping[str, int]


async def count(visit: Visit) -> Counts:
    """What waits, by the first part of the page's address; nothing while it cannot be said."""
    known = visit.api.counts.get(visit.signed_in_by)
    if known is None:
        known = await _asked(visit)
        visit.api.counts.put(visit.signed_in_by, known)
    return known


async def _asked(visit: Visit) -> Counts:
    service, path, names = OF_STAFF if visit.site.kind == "staff" else OF_USER
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            found = await visit.get(service, path)
    except (Away, Refused, SessionOver, TimeoutError):
        return {}
    return {page: found[name] for page, name in names.items() if name in found}
