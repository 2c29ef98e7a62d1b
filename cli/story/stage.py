"""Where the stories play: the running services, those who act, and how a step is done, shown and verified."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from cli.stack.state import Record
from cli.story.account import Account, Lines
from cli.story.erp import Erp, Heard, NotHeard, connected

T = TypeVar("T")
WAIT_SECONDS = 20.0
POLL_SECONDS = 0.1
TIMEOUT_SECONDS = 15.0
ERP_IN = "erp.in"
SPEAKING = ("identity", "journeys", "processes", "billing")
"""Services whose events are told."""


class StoryFailed(Exception):
    """A step did not go as it must: what was expected, and what came instead."""

    def __init__(self, expected: str, came: object) -> None:
        super().__init__(f"expected {expected}, but got {came}")
        self.expected = expected
        self.came = came


@dataclass(frozen=True)
class Place:
    """Addresses of a running Portico: every service below the one address, where there is one.

    Without a mailbox the delivery log alone shows the mails; without a gateway's port portals keep their addresses.
    """

    services: Mapping[str, str]
    kafka_servers: str
    topic_prefix: str
    mailbox_url: str
    gateway_port: int | None = None

    @classmethod
    def of(cls, record: Record) -> Place:
        prefix = os.environ.get("PORTICO_TOPIC_PREFIX") or "portico"
        services = {name: f"{record.front_url}/api/{name}" if record.front_url else record.services[name]
                    for name in record.services}  # fmt: skip
        return cls(services, record.kafka_servers, prefix, record.mailbox_url, record.ports.get("gateway"))


@dataclass(frozen=True)
class Actor:
    """Somebody with a token; `language` is what his portal speaks."""

    name: str
    token: str
    language: str = "en"


class Stage:
    """What the steps act with. Every call fails with StoryFailed when the answer is not the expected one."""

    def __init__(self, place: Place, account: Account, http: httpx.AsyncClient, erp: Erp) -> None:
        self.place = place
        self.account = account
        self.erp = erp
        self._http = http

    async def actor(self, name: str, role: str, language: str = "en", **claims: str) -> Actor:
        """Signs somebody in with a development token."""
        url = f"{self.place.services['identity']}/development/token"
        answer = await self._send("POST", url, json={"role": role, **claims})
        return Actor(name, expect_status(f"a token for {name}", answer, 200).json()["access_token"], language)

    async def ask(
        self,
        actor: Actor,
        method: str,
        service: str,
        path: str,
        *,
        status: int = 200,
        body: Any = None,
        shown: Callable[[Any], Lines] = lambda _: (),
        position: str | None = None,
        told: Any = None,
        **content: Any,
    ) -> httpx.Response:
        """Sends a request of an actor and tells about it; text bodies are CSV, `told` is told instead of the body."""
        url = f"{self.place.services[service]}{path}"
        content |= {"content": body.encode()} if isinstance(body, str) else {"json": body} if body is not None else {}
        kind = {"Content-Type": "text/csv"} if isinstance(body, str) else {}
        answer = await self._send(method, url, headers=_headers(actor, position) | kind, **content)
        expect_status(f"{method} {path} by {actor.name}", answer, status)
        if told is None:
            told = f"{len(body.splitlines()) - 1} rows of CSV" if isinstance(body, str) else body
        reached = answer.headers.get("Portico-Position")
        lines = [
            *(shown(answer.json()) if answer.content else ()),
            *([("Portico-Position", reached)] if reached else []),
        ]
        self.account.request(actor.name, f"{method} {url}", told, answer.status_code, lines)
        return answer

    async def read(self, actor: Actor, service: str, path: str, position: str | None = None) -> Any:
        """Reads without telling; with a position the answer shows at least what happened up to it."""
        url = f"{self.place.services[service]}{path}"
        answer = await self._send("GET", url, headers=_headers(actor, position))
        expect_status(f"GET {path} by {actor.name}", answer, 200)
        if position:
            expect(f"GET {path} to have reached {position}", answer.headers.get("Portico-Position-Reached"), "true")
        return answer.json()

    async def hears(self, type_: str, **fields: Any) -> Heard:
        """Waits for an event on Portico's topic whose fields have these values, and tells it."""
        try:
            heard = await self.erp.hear(type_, lambda data: fields.items() <= data.items(), WAIT_SECONDS)
        except NotHeard as error:
            raise StoryFailed(f"{type_} with {fields} on the topic", error) from error
        self.account.event(heard)
        return heard

    async def sends(self, type_: str, contract: str, data: dict[str, Any]) -> None:
        """The ERP writes to its topic."""
        self.account.sent("ERP", await self.erp.send(type_, contract, data))

    async def mails_to(self, address: str) -> list[dict[str, Any]]:
        """Mails in the development mailbox, the newest first; none where there is no such mailbox."""
        if not self.place.mailbox_url:
            return []
        url = f"{self.place.mailbox_url}/api/messages"
        answer = await self._send("GET", url, params={"to": address, "limit": "200"})
        mails: list[dict[str, Any]] = expect_status("the mailbox", answer, 200).json()
        return mails

    async def mail_with(self, address: str, pattern: str, seen: Collection[str] = ()) -> tuple[str, re.Match[str]]:
        """Waits for a mail that is not among those seen and whose text has the pattern; tells it, returns its id."""

        async def arrived() -> tuple[dict[str, Any], re.Match[str]] | None:
            for mail in await self.mails_to(address):
                if mail["id"] not in seen and (found := re.search(pattern, mail["text"])):
                    return mail, found
            return None

        mail, found = await until(f"a mail to {address} with {pattern}", arrived)
        self.account.mail(address, mail["subject"], mail["link"])
        return mail["id"], found

    async def _send(self, method: str, url: str, **content: Any) -> httpx.Response:
        try:
            return await self._http.request(method, url, **content)
        except httpx.HTTPError as error:
            raise StoryFailed(f"an answer to {method} {url}", str(error) or type(error).__name__) from error


@asynccontextmanager
async def set_up(place: Place, account: Account) -> AsyncIterator[Stage]:
    """The stage with its connections, for the length of a block."""
    inbox, *outboxes = (f"{place.topic_prefix}.{name}" for name in (ERP_IN, *SPEAKING))
    async with (
        httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as http,
        connected(place.kafka_servers, inbox, *outboxes) as erp,
    ):
        yield Stage(place, account, http, erp)


def expect(what: str, came: object, wanted: object) -> None:
    """Raises StoryFailed when something is not as it must be."""
    if came != wanted:
        raise StoryFailed(f"{what}: {wanted}", came)


def expect_status(what: str, answer: httpx.Response, status: int) -> httpx.Response:
    if answer.status_code != status:
        raise StoryFailed(f"{what} to be answered with {status}", f"{answer.status_code}: {answer.text[:500]}")
    return answer


async def until(what: str, probe: Callable[[], Awaitable[T | None]]) -> T:
    """Asks again until there is an answer; raises StoryFailed when there is none in time."""
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    while (found := await probe()) is None:
        if asyncio.get_running_loop().time() > deadline:
            raise StoryFailed(what, f"nothing of it within {WAIT_SECONDS:.0f} s")
        await asyncio.sleep(POLL_SECONDS)
    return found


def _headers(actor: Actor, position: str | None) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {actor.token}", "Accept-Language": actor.language}
    return headers | ({"Portico-Position": position} if position else {})
