"""The examples run against billing at work."""

from tests.services.billing.conftest import settings, world

__all__ = ["settings", "world"]
