"""The public APIs as pages call them: one client, tokens, and what can go wrong as three exceptions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from gateway.memory import Memory
from gateway.settings import GatewaySettings

TIMEOUT = httpx.Timeout(15, connect=3, pool=3)
LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=60, keepalive_expiry=30)
TOKEN_SECONDS = 30
"""For so long a user's token is taken from memory, so that blocking him is felt within that time."""
COUNTED_SECONDS = 5
RENEWED_BEFORE = 120


class Refused(Exception):
    """An API refused: `detail` is a sentence for the visitor, `code` never changes, `facts` is the whole problem."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(problem.get("code"))
        self.status = status
        self.code: str = str(problem.get("code", ""))
        self.detail: str = str(problem.get("detail") or problem.get("title") or "")
        self.facts = problem

    @property
    def mistakes(self) -> dict[str, str]:
        """What is wrong, by the path of a field."""
        listed = self.facts.get("mistakes") or self.facts.get("errors") or []
        return {str(each.get("path", "")): str(each.get("detail") or each.get("message") or "") for each in listed}


class SessionOver(Exception):
    """The session has ended, by time or because somebody ended it."""


class Away(Exception):
    """A service does not answer now. Falsy, so that a page can show the parts that do."""

    def __init__(self, service: str = "", correlation_id: str = "") -> None:
        super().__init__(service)
        self.service = service
        self.correlation_id = correlation_id

    def __bool__(self) -> bool:
        return False


@dataclass
class Api:
    """Sends requests to services and turns their refusals into exceptions."""

    settings: GatewaySettings
    transport: httpx.AsyncBaseTransport | None = None
    _own: tuple[float, str] = (0.0, "")
    counts: Memory[Mapping[str, int]] = field(default_factory=lambda: Memory(COUNTED_SECONDS))
    """What waits for somebody, by his session: see counts.py."""
    _tokens: Memory[dict[str, Any]] = field(default_factory=lambda: Memory(TOKEN_SECONDS))
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.client = httpx.AsyncClient(
            timeout=TIMEOUT, limits=LIMITS, transport=self.transport, trust_env=False, follow_redirects=False
        )

    async def send(
        self,
        method: str,
        service: str,
        path: str,
        headers: Mapping[str, str],
        *,
        auth: httpx.Auth | None = None,
        stream: bool = False,
        **content: Any,
    ) -> httpx.Response:
        """The answer of 2xx or 304. With `stream` its content is still to come, and whoever reads it closes it.

        Raises Refused, SessionOver, Away.
        """
        url = f"{self.settings.api_url}/{service}{path}"
        try:
            request = self.client.build_request(method, url, headers=headers, **content)
            answer = await self.client.send(request, auth=auth, stream=stream)
            if answer.is_success or answer.status_code == httpx.codes.NOT_MODIFIED:
                return answer
            await answer.aread()
        except httpx.HTTPError as error:
            raise Away(service) from error
        problem = _problem(answer)
        if answer.status_code >= 500:
            raise Away(service, str(problem.get("correlation_id", "")))
        if problem.get("code") in {"session_ended", "token_expired", "token_invalid"}:
            raise SessionOver
        raise Refused(answer.status_code, problem)

    async def own_token(self) -> str:
        """The gateway's own token, fetched anew before it expires."""
        async with self._lock:
            until, token = self._own
            if time.monotonic() < until:
                return token
            credentials = httpx.BasicAuth(self.settings.client_id, self.settings.client_secret.get_secret_value())
            asked = {"grant_type": "client_credentials"}
            try:
                granted = (await self.send("POST", "identity", "/token", {}, auth=credentials, data=asked)).json()
            except Refused as refused:
                raise Away("identity") from refused
            self._own = (time.monotonic() + granted["expires_in"] - RENEWED_BEFORE, granted["access_token"])
            return self._own[1]

    async def session_token(self, session: str) -> dict[str, Any]:
        """Identity's answer for a session (`SessionToken`). Raises SessionOver, Away."""
        known = self._tokens.get(session)
        if known is not None:
            return known
        headers = {"Authorization": f"Bearer {await self.own_token()}"}
        found: dict[str, Any] = (
            await self.send("POST", "identity", "/sessions/token", headers, json={"session": session})
        ).json()
        if found["access_token"]:
            self._tokens.put(session, found)
        return found

    def forget(self, session: str) -> None:
        """Lets the next request ask identity again."""
        self._tokens.forget(session)


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        problem = answer.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
