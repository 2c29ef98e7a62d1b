"""The outermost layer of a service: correlation, trace, limits on what comes in, and no details of errors going out."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog
from fastapi import Request
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Histogram
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.errors import Rejected
from chassis.http import problems
from chassis.http.deadline import Deadline
from chassis.http.endpoints import BODY, METHODS, Body

CORRELATION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
MEDIA_TYPES = frozenset({"application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/csv"})
IDENTITY_ENCODINGS = {b"", b"identity"}
MAXIMUM_DEPTH = 64
BRACKETS = re.compile(rb'[\[\]{}]|"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""Brackets and whole strings. It never goes back: also a string that does not end is looked at once."""
EXTRA_HEADERS = "portico.headers"
PROBES = ("/health", "/metrics")

log = structlog.get_logger()
tracer = trace.get_tracer("portico.http")
duration = Histogram(
    "http_server_request_duration_seconds",
    "Duration of HTTP requests",
    ("http_request_method", "http_route", "http_response_status_code"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
propagator = TraceContextTextMapPropagator()


@dataclass(frozen=True)
class Limits:
    """What a request may be. `larger` allows more bytes below some paths, e.g. `{"/imports": 50_000_000}`.

    An answer must have begun `answer_seconds` after the body was there, below some paths later (`slower`); a form is
    read while it is answered.
    """

    body_bytes: int = 1024 * 1024
    body_seconds: float = 30
    larger: Mapping[str, int] = field(default_factory=dict)
    answer_seconds: float = 30
    slower: Mapping[str, float] = field(default_factory=dict)

    def seconds_for(self, path: str) -> float:
        return next((limit for prefix, limit in self.slower.items() if path.startswith(prefix)), self.answer_seconds)

    def bytes_for(self, path: str) -> int:
        return next((limit for prefix, limit in self.larger.items() if path.startswith(prefix)), self.body_bytes)


def add_header(request: Request, name: str, value: str) -> None:
    """Adds a header to whatever answers this request, also where a ready Response or a problem is returned."""
    request.scope.setdefault(EXTRA_HEADERS, []).append((name, value))


class Boundary:
    """Pure ASGI: one pass over each request, no task of its own."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        correlation_id = _correlation_id(headers.get(b"x-correlation-id", b""))
        scope[problems.CORRELATION] = correlation_id
        sender = _Sender(scope, send, correlation_id)
        bound = structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
        try:
            await self._observed(scope, headers, receive, sender)
        finally:
            structlog.contextvars.unbind_contextvars("actor")
            structlog.contextvars.reset_contextvars(**bound)

    async def _observed(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, sender: _Sender) -> None:
        started = time.perf_counter()
        span = _span(scope, headers)
        if span is trace.INVALID_SPAN:
            await self._answer(scope, headers, receive, sender)
        else:
            with trace.use_span(span, end_on_exit=True):
                await self._answer(scope, headers, receive, sender)
                _describe(span, scope, sender.status)
        seconds = time.perf_counter() - started
        method, route, status = _method(scope), route_of(scope), sender.status
        duration.labels(method, route, status).observe(seconds)
        if status >= 400:
            log.info("request refused", method=method, route=route, status=status, ms=round(seconds * 1000, 1))

    async def _answer(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, sender: _Sender) -> None:
        try:
            await self._in_time(scope, await self._checked(scope, headers, receive), sender)
        except TimeoutError as error:
            if sender.status:
                raise
            await problems.unavailable(scope, error)(scope, receive, sender)
        except Rejected as refused:
            await problems.rejection(scope, refused)(scope, receive, sender)
        except ClientDisconnect:
            log.info("the client went away", path=scope["path"])
        except Exception:
            # The last line: whatever was not foreseen is logged here, and nothing of it goes out.
            log.exception("unexpected error", path=scope["path"])
            if sender.status:
                raise
            await problems.problem(scope, 500, "internal_error")(scope, receive, sender)

    async def _in_time(self, scope: Scope, receive: Receive, sender: _Sender) -> None:
        """Raises TimeoutError when no answer has begun in time."""
        if isinstance(receive, _Counted):
            await self._app(scope, receive, sender)
            return
        with Deadline(self._limits.seconds_for(scope["path"])) as sender.deadline:
            await self._app(scope, receive, sender)

    async def _checked(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> Receive:
        """Refuses what no endpoint takes; gives back where the endpoint reads the body from."""
        if b"%00" in scope.get("raw_path", b"") or "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            raise Rejected("invalid_character")
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            return receive
        if headers.get(b"content-length", b"") == b"0":
            return receive
        media_type = _check_content(headers)
        limit = self._limits.bytes_for(scope["path"])
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > limit:
            raise Rejected("body_too_large", limit_bytes=limit)
        if media_type == "multipart/form-data":
            scope[problems.BODY_LIMIT] = limit
            return _Counted(receive, limit)
        body = await self._read(receive, limit)
        if media_type.endswith("json"):
            scope[BODY] = Body(body, _checked_json(body))
        elif b"\x00" in body or (b"%00" in body and media_type == "application/x-www-form-urlencoded"):
            raise Rejected("invalid_character")
        return _Replayed(body, receive)

    async def _read(self, receive: Receive, limit: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        try:
            with Deadline(self._limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    if size > limit:
                        raise Rejected("body_too_large", limit_bytes=limit)
                    chunks.append(chunk)
                    if not message.get("more_body"):
                        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        except TimeoutError:
            raise Rejected("body_too_slow", limit_seconds=self._limits.body_seconds) from None


class _Sender:
    """Sends with the headers that every answer has, and remembers the status."""

    def __init__(self, scope: Scope, send: Send, correlation_id: str) -> None:
        self._scope = scope
        self._send = send
        self._correlation_id = correlation_id
        self.status = 0
        self.deadline: Deadline | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.deadline:
                self.deadline.lift()
            own = (b"x-correlation-id", self._correlation_id.encode())
            message["headers"] = [*message["headers"], own, (b"x-content-type-options", b"nosniff")]
            for name, value in self._scope.get(EXTRA_HEADERS, ()):
                MutableHeaders(scope=message)[name] = value
        await self._send(message)


class _Replayed:
    """A body read already, given once more to the endpoint; then what else the client sends (that it went away)."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


class _Counted:
    """A body that goes on to the endpoint while it arrives, up to a limit."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._size = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            raise HTTPException(413)  # the one error that FastAPI passes on from within the parsing of a form
        return message


def route_of(scope: Scope) -> str:
    """The template of the route that served a request, e.g. `/contracts/{id}`; one name for all unknown paths."""
    included = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(included, "path", None) or getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "unknown"


def _correlation_id(given: bytes) -> str:
    text = given.decode("latin-1")
    return text if CORRELATION_ID.fullmatch(text) else f"{random.getrandbits(128):032x}"


def _check_content(headers: Mapping[bytes, bytes]) -> str:
    if headers.get(b"content-encoding", b"").strip().lower() not in IDENTITY_ENCODINGS:
        raise Rejected("unsupported_encoding")
    media_type, _, parameters = headers.get(b"content-type", b"").decode("latin-1").lower().partition(";")
    media_type = media_type.strip()
    if media_type not in MEDIA_TYPES and not re.fullmatch(r"application/[a-z.-]+\+json", media_type):
        raise Rejected("unsupported_media_type")
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", parameters)
    if charset and media_type != "text/csv" and charset.group(1) not in {"utf-8", "utf8", "us-ascii"}:
        raise Rejected("unsupported_encoding")
    return media_type


def _checked_json(body: bytes) -> Any:
    if body.count(b"[") + body.count(b"{") > MAXIMUM_DEPTH and _depth(body) > MAXIMUM_DEPTH:
        raise Rejected("invalid_json_depth", limit=MAXIMUM_DEPTH)
    try:
        value = orjson.loads(body)
    except ValueError:
        raise Rejected("invalid_json") from None
    if b"\\u0000" in body and "\x00" in _texts(value):
        raise Rejected("invalid_character")
    return value


def _depth(body: bytes) -> int:
    """The deepest nesting, found without recursion: strings are cut out, brackets counted."""
    deepest = depth = 0
    for bracket in BRACKETS.finditer(body):
        match bracket.group():
            case b"[" | b"{":
                depth += 1
                deepest = max(deepest, depth)
            case b"]" | b"}":
                depth -= 1
    return deepest


def _texts(value: object) -> str:
    match value:
        case str():
            return value
        case list():
            return "".join(_texts(item) for item in value)
        case dict():
            return "".join(str(name) + _texts(item) for name, item in value.items())
        case _:
            return ""


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in METHODS else "_OTHER"


def _span(scope: Scope, headers: Mapping[bytes, bytes]) -> Span:
    """A server span that goes on with the caller's trace; none for probes, nor where nobody collects and none began."""
    if scope["path"].startswith(PROBES):
        return trace.INVALID_SPAN
    traceparent = headers.get(b"traceparent", b"").decode("latin-1")
    parent = propagator.extract({"traceparent": traceparent}) if traceparent else None
    return tracer.start_span(_method(scope), context=parent, kind=SpanKind.SERVER)


def _describe(span: Span, scope: Scope, status: int) -> None:
    if not span.is_recording():
        return
    route = route_of(scope)
    span.update_name(f"{_method(scope)} {route}")
    span.set_attribute("http.request.method", _method(scope))
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    span.set_attribute("portico.correlation_id", scope[problems.CORRELATION])
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))
