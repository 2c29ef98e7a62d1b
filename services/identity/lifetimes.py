"""How long tokens, sessions and links live; the keys that sign tokens must live longer than any of them."""

from __future__ import annotations

from datetime import timedelta

TOKEN_LIFETIME = timedelta(minutes=15)
USER_TOKEN_LIFETIME = timedelta(minutes=5)
"""Of a portal user, a member of staff and an impersonation: what a block needs at most to reach everywhere."""
LONGEST_TOKEN = timedelta(hours=12)
"""Of a development token."""

SESSION_IDLE = timedelta(minutes=30)
SESSION_LIFETIME = timedelta(hours=24)
STAFF_SESSION_LIFETIME = timedelta(hours=12)

LINK_LIFETIME = timedelta(hours=1)
INVITATION_LIFETIME = timedelta(hours=72)
