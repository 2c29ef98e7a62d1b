"""Which site a host name belongs to: a portal by its configured address, or the staff's."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from starlette.requests import Request

from gateway.api import Api, Away, Refused

FRESH_SECONDS = 5.0
Kind = Literal["portal", "staff", "index"]


@dataclass(frozen=True)
class Site:
    """A site. `look` is the appearance of a portal as its API answers it; staff's is empty."""

    kind: Kind
    id: str = ""
    look: Mapping[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.look[name]
        except KeyError as error:
            raise AttributeError(name) from error

    @property
    def logo_version(self) -> str:
        return hashlib.sha256(str(self.look.get("logo")).encode()).hexdigest()[:12]


STAFF = Site("staff")
INDEX = Site("index")


class Portals:
    """The appearances of all portals, asked for again every few seconds; the last ones serve while the API is away."""

    def __init__(self, api: Api, staff_url: str) -> None:
        self._api = api
        self._staff_host = urlsplit(staff_url).hostname or ""
        self._sites: dict[str, Site] = {}
        self._etag = ""
        self._asked_at = float("-inf")

    async def find(self, host: str) -> Site:
        """The site of a Host header; the index for a host that belongs to none. Raises Away."""
        name = (urlsplit(f"//{host}").hostname or "").lower()
        if name == self._staff_host:
            return STAFF
        return (await self._known()).get(name, INDEX)

    async def all(self) -> list[Site]:
        return list((await self._known()).values())

    async def _known(self) -> dict[str, Site]:
        if time.monotonic() - self._asked_at < FRESH_SECONDS:
            return self._sites
        self._asked_at, asked_before = time.monotonic(), self._asked_at
        try:
            headers = {"Authorization": f"Bearer {await self._api.own_token()}", "If-None-Match": self._etag}
            answer = await self._api.send("GET", "portal", "/appearances", headers)
        except (Away, Refused):
            if not self._sites:
                self._asked_at = asked_before
                raise
            return self._sites
        if answer.content:
            found = (Site("portal", look["portal"], look) for look in answer.json()["items"])
            self._sites = {(urlsplit(site.url).hostname or "").lower(): site for site in found}
            self._etag = answer.headers.get("ETag", "")
        return self._sites


def on_port_of(request: Request, url: str) -> str:
    """The address of another site; on a developer's machine all sites are on the port of this request."""
    parts = urlsplit(url.rstrip("/"))
    if parts.hostname and parts.hostname.endswith(".localhost") and request.url.port:
        parts = parts._replace(netloc=f"{parts.hostname}:{request.url.port}")
    return parts.geturl()
