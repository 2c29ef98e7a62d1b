"""`portico audit`: whether history is still what it was when it was published, and what an auditor takes away."""

from cli.audit.commands import app

__all__ = ["app"]
