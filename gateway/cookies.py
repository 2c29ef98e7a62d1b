"""The cookies of a visitor: read from the request, written to the response, all of them `__Host-`."""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import Response

SESSION = "session"
ACTING = "acting"
LANGUAGE = "language"
POSITION = "position"
SAID = "said"
VISITOR = "visitor"
DAY_SECONDS = 24 * 3600


class Cookies:
    """In an embedded page they belong to the page around it (CHIPS), since browsers send no others there."""

    def __init__(self, request: Request, *, embedded: bool = False) -> None:
        self._embedded = embedded
        self._values: dict[str, str | None] = dict(request.cookies)
        self._changed: dict[str, int] = {}

    def get(self, name: str) -> str | None:
        return self._values.get(self._full(name))

    def put(self, name: str, value: str, seconds: int = DAY_SECONDS) -> None:
        self._values[self._full(name)] = value
        self._changed[name] = seconds

    def remove(self, name: str) -> None:
        if self.get(name) is not None:
            self._values[self._full(name)] = None
            self._changed[name] = 0

    def visitor(self) -> str:
        """Random bits by which forms know whom they were made for."""
        known = self.get(VISITOR)
        if not known:
            known = secrets.token_urlsafe(16)
            self.put(VISITOR, known)
        return known

    def write(self, response: Response) -> None:
        attributes = "; SameSite=None; Partitioned" if self._embedded else "; SameSite=Lax"
        for name, seconds in self._changed.items():
            value = self.get(name) or ""
            response.headers.append(
                "Set-Cookie", f"{self._full(name)}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly{attributes}"
            )

    def _full(self, name: str) -> str:
        return f"__Host-embedded-{name}" if self._embedded else f"__Host-{name}"
