"""Where the link of a mail leads: deep links from what is known, secret ones from identity at the moment of sending.

A secret is never in an event, a queue or a log: it exists in identity, as a hash, and in the mail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args
from urllib.parse import quote

import httpx
import structlog
from pydantic import AwareDatetime, BaseModel, ValidationError

from chassis.service_calls import ServiceCalls

Secret = Literal["activation", "reset", "invitation"]
Kind = Secret | Literal["portal", "contract", "task"]
SECRETS: tuple[Secret, ...] = get_args(Secret)
TIMEOUT_SECONDS = 5.0

log = structlog.get_logger()


class Link(BaseModel):
    """An address for one person; `expires_at` is the end of its secret."""

    url: str
    expires_at: AwareDatetime | None = None


@dataclass(frozen=True, slots=True)
class NoLink:
    """Why there is none. `for_good`: identity says that it will not give one."""

    reason: str
    for_good: bool


class Links(Protocol):
    """Asks for links that carry a secret."""

    async def ask(self, kind: str, portal_id: str, user_id: str) -> Link | NoLink:
        """A fresh link of a portal user."""


class IdentityLinks:
    """Asks identity. No answer is no reason to give up: the mail waits."""

    def __init__(
        self, identity_url: str, calls: ServiceCalls, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._url = f"{identity_url.rstrip('/')}/links"
        self._calls = calls
        self._transport = transport

    async def ask(self, kind: str, portal_id: str, user_id: str) -> Link | NoLink:
        body = {"kind": kind, "portal_id": portal_id, "user_id": user_id}
        headers = {"Authorization": f"Bearer {self._calls.token('notifications')}"}
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, transport=self._transport) as client:
                answered = await client.post(self._url, json=body, headers=headers)
            if answered.is_success:
                return Link.model_validate_json(answered.content)
        except (httpx.HTTPError, ValidationError) as error:
            log.warning("no link from identity", kind=kind, error=type(error).__name__)
            return NoLink("identity_unreachable", for_good=False)
        log.warning("no link from identity", kind=kind, status=answered.status_code)
        if answered.status_code in {409, 410}:
            return NoLink("link_refused", for_good=True)
        return NoLink("identity_unreachable", for_good=False)


def deep_link(portal_url: str, kind: str, target: Mapping[str, Any]) -> str:
    """The address of a page of a portal; without a secret, so the portal asks to sign in."""
    base = portal_url.rstrip("/")
    match kind:
        case "contract" if target.get("contract_id"):
            return f"{base}/contracts/{_part(target['contract_id'])}"
        case "task":
            return f"{base}/tasks/{_part(target['instance_id'])}/{_part(target['step_id'])}"
        case _:
            return base


def _part(value: object) -> str:
    return quote(str(value), safe="")
