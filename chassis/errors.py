"""The ways in which a command or a request can fail, each with a stable code."""

from __future__ import annotations

from collections.abc import Mapping


class Rejected(Exception):
    """A command that the rules refuse. `code` is stable; `facts` say with which figures."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code, facts)
        self.code = code
        self.facts: Mapping[str, object] = facts

    def __str__(self) -> str:
        return f"{self.code} {dict(self.facts)}" if self.facts else self.code


class NotFound(Rejected):
    """What was asked for does not exist, or not for the one who asks."""

    def __init__(self, code: str = "not_found", **facts: object) -> None:
        super().__init__(code, **facts)


class Conflict(Exception):
    """A stream has another version than the one that was decided on."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"{stream}: expected version {expected}, found {actual}")
        self.stream = stream
        self.expected = expected
        self.actual = actual


class PreconditionFailed(Conflict):
    """If-Match named another version than the stream has."""


class Unavailable(Exception):
    """Something needed cannot be reached now; trying again later may help."""
