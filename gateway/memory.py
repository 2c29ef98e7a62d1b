"""What is known of sessions for some seconds, so that not every page asks for it again."""

from __future__ import annotations

import hashlib
import time
from typing import Generic, TypeVar

T = TypeVar("T")
MOST = 10_000
"""When so many are remembered, all are forgotten at once."""


class Memory(Generic[T]):
    """Values by a secret, of which only the hash is kept."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._known: dict[bytes, tuple[float, T]] = {}

    def get(self, secret: str) -> T | None:
        found = self._known.get(_hash(secret))
        return found[1] if found is not None and time.monotonic() < found[0] else None

    def put(self, secret: str, value: T) -> None:
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[_hash(secret)] = (time.monotonic() + self._seconds, value)

    def forget(self, secret: str) -> None:
        self._known.pop(_hash(secret), None)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
