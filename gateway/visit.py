"""One request of somebody: where he is, who he is, what he sent, and the calls that are made for him."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from chassis.texts import LANGUAGES, language_of
from contracts.common import Language
from gateway.api import Api, Away, Refused, SessionOver
from gateway.boxes import Box
from gateway.cookies import ACTING, LANGUAGE, POSITION, SAID, SESSION, Cookies
from gateway.portals import Portals, Site

if TYPE_CHECKING:
    from gateway.rendering import Rendering

MOST_POSITIONS = 6
POSITION_SECONDS = 60
SAID_SECONDS = 60
ACTING_SECONDS = 5 * 60
ACTED_SECONDS = 3600
"""For so long it is known that acting has ended, and as whom it was."""
PRESS = re.compile(r"[A-Za-z0-9_-]{16,64}")
TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Form:
    """What was sent, as texts. A field that is sent several times has its last value; `all` has every one."""

    def __init__(self, data: FormData | None = None) -> None:
        self._data = data or FormData()

    def get(self, name: str, default: str = "") -> str:
        value = self._data.get(name)
        return value.strip() if isinstance(value, str) else default

    def __getitem__(self, name: str) -> str:
        return self.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._data

    def all(self, name: str) -> list[str]:
        return [value for value in self._data.getlist(name) if isinstance(value, str)]

    def files(self, name: str) -> list[UploadFile]:
        """Uploaded files; a field that was left empty has none."""
        return [value for value in self._data.getlist(name) if isinstance(value, UploadFile) and value.filename]

    def texts(self) -> list[tuple[str, str]]:
        """All that is no file, in the order in which it was sent."""
        return [(name, value) for name, value in self._data.multi_items() if isinstance(value, str)]


@dataclass(frozen=True)
class Who:
    """Somebody who is signed in; `known` is identity's answer for his session."""

    known: Mapping[str, Any]
    token: str | None

    @property
    def ready(self) -> bool:
        return self.token is not None

    def __getattr__(self, name: str) -> Any:
        return self.known.get(name)


@dataclass
class Caller:
    """The APIs with one token. Paths begin with a slash; answers are parsed JSON, None where there is no content."""

    visit: Visit
    own: bool = False

    async def get(self, service: str, path: str, **query: Any) -> Any:
        given = {name: value for name, value in query.items() if value not in {None, ""}}
        return _json(await self.send("GET", service, path, params=given))

    async def post(self, service: str, path: str, body: Any = None, **headers: str) -> Any:
        return _json(await self._change("POST", service, path, body, headers))

    async def put(self, service: str, path: str, body: Any = None, **headers: str) -> Any:
        return _json(await self._change("PUT", service, path, body, headers))

    async def patch(self, service: str, path: str, body: Any = None, **headers: str) -> Any:
        return _json(await self._change("PATCH", service, path, body, headers))

    async def delete(self, service: str, path: str, body: Any = None, **headers: str) -> Any:
        return _json(await self._change("DELETE", service, path, body, headers))

    async def send(
        self, method: str, service: str, path: str, headers: Mapping[str, str] | None = None, **content: Any
    ) -> httpx.Response:
        """The whole answer. Raises Refused, SessionOver, Away."""
        visit = self.visit
        token = await visit.api.own_token() if self.own else visit.who.token if visit.who else None
        if token is None:
            raise SessionOver
        sent = {"Authorization": f"Bearer {token}", "Accept-Language": visit.language}
        if visit.positions:
            sent["Portico-Position"] = ", ".join(visit.positions)
        if TRACEPARENT.fullmatch(trace := visit.request.headers.get("traceparent", "")):
            sent["traceparent"] = trace
        answer = await visit.api.send(method, service, path, {**sent, **(headers or {})}, **content)
        if method != "GET" and (position := answer.headers.get("Portico-Position")):
            visit.reached(position)
        return answer

    async def _change(
        self, method: str, service: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        key = self.visit.key_for(method, service, path)
        return await self.send(
            method,
            service,
            path,
            {**({"Idempotency-Key": key} if key else {}), **named},
            **({} if body is None else {"json": body}),
        )


class Shown(HTMLResponse):
    """A page that is drawn last, when everything is known that it shows."""

    def __init__(self, page: Callable[[], str], status: int) -> None:
        super().__init__(None, status)
        self._page: Callable[[], str] | None = page

    def draw(self) -> None:
        """Once; drawing it again changes nothing."""
        if self._page is not None:
            self.body = self._page().encode()
            self.headers["Content-Length"] = str(len(self.body))
            self._page = None


@dataclass
class Visit(Caller):
    """A request on a site. It has the calls of a Caller, with the token of whoever is signed in."""

    visit: Visit = field(init=False, repr=False)
    request: Request = field(kw_only=True)
    site: Site = field(kw_only=True)
    api: Api = field(kw_only=True)
    box: Box = field(kw_only=True)
    rendering: Rendering = field(kw_only=True)
    cookies: Cookies = field(kw_only=True)
    portals: Portals = field(kw_only=True)
    form: Form = field(default_factory=Form, kw_only=True)
    who: Who | None = field(default=None, kw_only=True)
    counts: Mapping[str, int] = field(default_factory=dict, kw_only=True)
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16), kw_only=True)

    def __post_init__(self) -> None:
        self.visit = self
        self.positions: list[str] = [each for each in (self.cookies.get(POSITION) or "").split(",") if each]

    @property
    def path(self) -> Mapping[str, str]:
        """Parts of the address by the names in its route."""
        return self.request.path_params

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params

    @property
    def here(self) -> str:
        """The address of this request below the site, with its query."""
        url = self.request.url
        return f"{url.path}?{url.query}" if url.query else url.path

    @property
    def as_gateway(self) -> Caller:
        return Caller(self, own=True)

    @property
    def development(self) -> bool:
        return self.api.settings.development

    @property
    def session(self) -> str | None:
        """The secret of identity's session, out of the cookie."""
        return self.cookies.get(SESSION)

    @property
    def signed_in_by(self) -> str:
        """By what it is known who is signed in: his session, or that somebody acts as him."""
        return str(self.acting["impersonation_id"]) if self.acting else self.session or ""

    @property
    def language(self) -> Language:
        for wished in (self.cookies.get(LANGUAGE), self.who.language if self.who else None):
            if wished in LANGUAGES:
                return "de" if wished == "de" else "en"
        return language_of(self.request.headers.get("accept-language"), "de")

    @property
    def acting(self) -> Mapping[str, Any] | None:
        """While a member of staff acts as this user: `staff_name`, `user_name`, `until` and more."""
        acted = self.acted
        return acted if acted and acted["until"] > time.time() else None

    @property
    def acted(self) -> Mapping[str, Any] | None:
        """The same, also when its time is over."""
        found = self.box.open(self.cookies.get(ACTING), ACTED_SECONDS)
        return found if isinstance(found, dict) and "impersonation_id" in found else None

    async def recognise(self) -> None:
        """Finds out who is signed in; nobody, when the session is over. Raises Away."""
        if acting := self.acting:
            self.who = Who(acting, acting["access_token"])
        elif session := self.session:
            try:
                known = await self.api.session_token(session)
            except SessionOver:
                self.cookies.remove(SESSION)
                return
            self.who = Who(known, known["access_token"])

    def reached(self, position: str) -> None:
        """Reads of this visitor will show at least what happened up to this position."""
        known = [*self.positions, *(each.strip() for each in position.split(","))]
        newest = {each.rpartition(":")[0]: each for each in known}
        self.positions = list(newest.values())[-MOST_POSITIONS:]
        self.cookies.put(POSITION, ",".join(self.positions), POSITION_SECONDS)

    def key_for(self, method: str, service: str, path: str) -> str | None:
        """The idempotency key of a call: the same for every repetition of one press of a button."""
        press = self.form.get("press")
        if not PRESS.fullmatch(press):
            return None
        call = hashlib.sha256(f"{method} {service}{path}".encode()).hexdigest()[:16]
        return f"{press}-{call}"

    async def together(self, **parts: Awaitable[Any]) -> SimpleNamespace:
        """Awaits calls side by side; a part whose service is away is an Away."""
        found = await asyncio.gather(*parts.values(), return_exceptions=True)
        for each in found:
            if isinstance(each, BaseException) and not isinstance(each, Away):
                raise each
        return SimpleNamespace(**dict(zip(parts, found, strict=True)))

    def show(self, template: str, status: int = 200, **context: Any) -> Shown:
        """A page. What is said to the visitor once is said here."""
        said = self.box.open(self.cookies.get(SAID), SAID_SECONDS)
        if said is not None:
            self.cookies.remove(SAID)
        context = {"refused": None, "given": self.form, **context, "said": said}
        return Shown(lambda: self.rendering.render(template, self, context), status)

    def say(self, key: str, **facts: Any) -> str:
        """The text of a key in the visitor's language. Raises KeyError."""
        return self.rendering.say(self, key, **facts)

    def go(self, path: str, said: str | None = None, **facts: Any) -> Response:
        """To another page of this site; `said` is the key of a text that is shown there once, with its facts."""
        if said is not None:
            self.cookies.put(SAID, self.box.seal({"key": said, "facts": facts}), SAID_SECONDS)
        return RedirectResponse(own_path(path), 303)

    def not_found(self) -> Response:
        """The page for what does not exist, or is not his."""
        return self.show("public/not_found.html", 404)

    def proof(self) -> str:
        """What forms of this visitor carry against forgery."""
        return self.box.proof(self.cookies.visitor())

    def seconds_left(self) -> int:
        """How long the member of staff may still act as this user."""
        return max(0, int(self.acting["until"] - time.time())) if self.acting else 0


def own_path(path: str) -> str:
    """The path if it is one of this site, else the start: nobody is led elsewhere by a link."""
    is_own = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_own else "/"


def _json(answer: httpx.Response) -> Any:
    return answer.json() if answer.content else None


__all__ = ["Away", "Caller", "Form", "Refused", "Shown", "Visit", "Who", "own_path"]
