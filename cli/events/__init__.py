"""`portico events`: what is on the topics, for people and programs, without disturbing any live consumer."""

from cli.events.commands import app

__all__ = ["app"]
