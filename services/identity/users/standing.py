"""How far a portal user has come: what the page after his sign-in has to say. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from contracts.portal import Registration
from services.identity.users.state import User

Standing = Literal["ready", "identify", "waiting", "unknown", "blocked", "expired"]
IDENTIFICATION_TRIES = 5


def standing(user: User, matches: int, registration: Registration, at: datetime) -> Standing:
    """`matches` is how many contacts have the user's address as their primary one."""
    if user.blocked:
        return "blocked"
    if has_expired(user, at):
        return "expired"
    if user.contact_id is not None:
        return "ready"
    if may_identify(user, matches, registration):
        return "identify"
    return "unknown" if matches == 0 and registration.unknown == "refuse" else "waiting"


def may_identify(user: User, matches: int, registration: Registration) -> bool:
    """Whether a second identification can tell which of several contacts the user is."""
    return (
        user.contact_id is None
        and matches > 1
        and registration.assign_by == "primary_email"
        and bool(registration.second_identification)
        and user.failed_identifications < IDENTIFICATION_TRIES
    )


def has_expired(user: User, at: datetime) -> bool:
    return user.expires_at is not None and user.expires_at <= at
