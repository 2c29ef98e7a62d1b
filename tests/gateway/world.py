"""A gateway whose APIs are played by the test, and a browser without JavaScript that visits it."""

from __future__ import annotations

import base64
import functools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl

import httpx
import orjson
from bs4 import BeautifulSoup, Tag
from starlette.applications import Starlette

from gateway.app import create
from gateway.rendering import Rendering
from gateway.settings import GatewaySettings

CUSTOMERS, INSTALLERS, STAFF = "customers.localhost", "installers.localhost", "staff.localhost"
SESSION = "the-session"
RENDERING = functools.cache(Rendering)
"""Templates and texts are read once for all tests."""
NAMES = {"customers": ("Mein Lindenau", "My Lindenau"), "installers": ("Netz Lindenau", "Netz Lindenau")}


@dataclass(frozen=True)
class Call:
    """A request that the gateway sent to a service."""

    method: str
    service: str
    path: str
    query: Mapping[str, str]
    headers: httpx.Headers
    content: bytes
    asked: tuple[tuple[str, str], ...] = ()

    def all(self, name: str) -> list[str]:
        """Every value of a parameter that is sent several times."""
        return [value for each, value in self.asked if each == name]

    @property
    def body(self) -> Any:
        return orjson.loads(self.content) if self.content else None


Answer = httpx.Response | Callable[[Call], httpx.Response]


@dataclass
class World:
    """Answers by method, service and path; what nobody has given is 404, and `away` services do not answer."""

    development: bool = False
    answers: dict[tuple[str, str, str], Answer] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    away: set[str] = field(default_factory=set)
    owner: dict[str, Any] = field(default_factory=dict)

    def answer(self, method: str, service: str, path: str, body: Any = None, status: int = 200, **headers: str) -> None:
        """The answer to a request; names of headers are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = b"" if body is None else orjson.dumps(body)
        kind = "application/json" if status < 400 else "application/problem+json"
        self.answers[method, service, path] = httpx.Response(
            status, content=content, headers={"Content-Type": kind, **named}
        )

    def refuse(self, method: str, service: str, path: str, status: int, code: str, **facts: Any) -> None:
        """A refusal; its sentence is `detail`, or tells the code."""
        problem = {"code": code, "title": code, "detail": f"Sentence of {code}.", "status": status, **facts}
        self.answer(method, service, path, problem, status)

    def calls_to(self, method: str, service: str, path: str) -> list[Call]:
        return [call for call in self.calls if (call.method, call.service, call.path) == (method, service, path)]

    def handle(self, request: httpx.Request) -> httpx.Response:
        _, _, service, path = request.url.path.split("/", 3)
        asked = tuple(parse_qsl(request.url.query.decode(), keep_blank_values=True))
        call = Call(request.method, service, f"/{path}", dict(asked), request.headers, request.content, asked)
        self.calls.append(call)
        if service in self.away:
            raise httpx.ConnectError("away")
        found = self.answers.get((call.method, service, call.path)) or self._standard(call)
        return found(call) if callable(found) else found

    def _standard(self, call: Call) -> httpx.Response:
        match (call.service, call.path):
            case ("identity", "/token"):
                return httpx.Response(200, json={"access_token": "own", "expires_in": 3600})
            case ("identity", "/sessions/token") if call.body == {"session": SESSION} and self.owner:
                return httpx.Response(200, json=self.owner)
            case ("identity", "/sessions/token"):
                return httpx.Response(401, json={"code": "session_ended"})
            case ("portal", "/appearances"):
                return httpx.Response(200, json={"items": [appearance(each) for each in NAMES]})
        return httpx.Response(404, json={"code": "not_found", "detail": "Nothing is here."})


def appearance(portal: str) -> dict[str, Any]:
    """How one of the two portals presents itself."""
    de, en = NAMES[portal]
    colours = {"colour": "#0B6E4F", "on": "#ffffff", "text": "#0B6E4F"}
    return {
        "portal": portal,
        "audience": "customer" if portal == "customers" else "installer",
        "enabled": True,
        "name": {"de": de, "en": en},
        "url": f"https://{portal}.localhost",
        "brand": colours,
        "accent": colours,
        "logo": None,
        "texts": {},
        "embed": ["https://www.example.org"],
        "registration_open": True,
        "links": [
            {
                "id": "outage",
                "title": {"de": "Störung melden", "en": "Report an outage"},
                "to": "https://example.org/out",
            },
            {"id": "cancel", "title": {"de": "Hier kündigen", "en": "Cancel here"}, "to": "journey:cancel_here"},
        ],
    }


def user(status: str = "ready", language: str = "de", **known: Any) -> dict[str, Any]:
    """Identity's answer for the session of a customer."""
    return {
        "status": status,
        "language": language,
        "groups": [],
        "ask": [],
        "tries_left": None,
        "access_token": "hers" if status == "ready" else None,
        "expires_in": 300,
        "session_expires_at": "2030-01-01T00:00:00Z",
        "subject": "user/u-1",
        "role": "customer",
        "portal_id": "customers",
        "contact_id": "c-1",
        **known,
    }


def member(role: str = "staff", **known: Any) -> dict[str, Any]:
    """Identity's answer for the session of a member of staff."""
    return user(subject="staff/s-1", role=role, portal_id=None, contact_id=None, groups=["customer_service"], **known)


@dataclass
class Browser:
    """Somebody at one host. Forms carry what a page of ours would give them."""

    http: httpx.AsyncClient

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.get(path, headers=headers)

    async def post(self, path: str, fields: Mapping[str, Any] | None = None, **more: Any) -> httpx.Response:
        """Sends a form with the proof of a page that it opened before, and the same press for the same fields."""
        page = await self.http.get("/imprint")
        proof = soup(page).select_one("input[name=proof]")
        assert proof is not None
        sent = {"proof": proof["value"], "press": "a-press-of-the-button", **(fields or {})}
        return await self.http.post(path, data=sent, **more)


def gateway(world: World) -> Starlette:
    """The gateway whose APIs the world plays."""
    settings = GatewaySettings(
        api_url="http://api.example/api",
        client_id="gateway",
        client_secret="secret",
        gateway_key=base64.b64encode(bytes(32)).decode(),
        staff_url=f"https://{STAFF}",
        development=world.development,
    )
    with mock.patch("gateway.app.Rendering", RENDERING):
        return create(settings, httpx.MockTransport(world.handle))


@asynccontextmanager
async def visiting(
    world: World, host: str = CUSTOMERS, owner: dict[str, Any] | None = None, language: str = "de"
) -> AsyncIterator[Browser]:
    """A browser at a host; with an owner somebody is signed in."""
    app = gateway(world)
    world.owner = owner or {}
    cookies = {"__Host-session": SESSION} if owner else {}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url=f"https://{host}", cookies=cookies, headers={"Accept-Language": language}
    ) as http:
        yield Browser(http)


def soup(response: httpx.Response) -> BeautifulSoup:
    """What a page has; a hyphen is a hyphen, also where no line may end at it."""
    return BeautifulSoup(response.text.replace("\N{NON-BREAKING HYPHEN}", "-"), "html.parser")


def words(response: httpx.Response) -> str:
    """What somebody reads in the main part of a page, spaces made single."""
    page = soup(response)
    main = page.select_one("main") or page
    assert isinstance(main, Tag)
    return " ".join(main.get_text(" ").split())
