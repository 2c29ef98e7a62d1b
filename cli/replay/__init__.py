"""`portico replay`: events as they happened, or a document of a view as it was then; no live consumer notices."""

from cli.replay.commands import replay

__all__ = ["replay"]
