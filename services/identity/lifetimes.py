"""How long tokens live; the keys that sign them must live longer."""

from __future__ import annotations

from datetime import timedelta

TOKEN_LIFETIME = timedelta(minutes=15)
LONGEST_TOKEN = timedelta(hours=12)
"""Of a development token."""
