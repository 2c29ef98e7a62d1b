"""Passes requests on to the services and their answers back, both as streams; what is between two hops stays there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing

import httpx
import structlog
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from cli.front.problems import problem

MAXIMUM_BODY_BYTES = 128 * 2**20
LIMITS = httpx.Limits(max_connections=400, max_keepalive_connections=100, keepalive_expiry=15)
TIMEOUT = httpx.Timeout(60, connect=3, pool=3)
HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade".split()
)
"""RFC 9110, 7.6.1; and whatever Connection names."""
OURS = frozenset(
    b"host forwarded x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-prefix x-forwarded-proto "
    b"x-real-ip".split()
)
"""What we tell the services ourselves; nobody else is believed."""
NOT_FOR_OUTSIDE = "/metrics"
Header = tuple[bytes, bytes]

log = structlog.get_logger()


class TooLarge(Exception):
    """A body of unknown length grew beyond what is passed on."""


class Proxy:
    """One client for all services; `addresses` says where each is."""

    def __init__(self, addresses: Mapping[str, str], transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.addresses = {service: httpx.URL(address) for service, address in addresses.items()}
        self.client = httpx.AsyncClient(
            limits=LIMITS, timeout=TIMEOUT, transport=transport, follow_redirects=False, trust_env=False
        )

    async def pass_on(self, request: Request, service: str, path: bytes) -> Response:
        """The service's answer to the request at this path, which is as encoded as it came."""
        if int(request.headers.get("content-length") or 0) > MAXIMUM_BODY_BYTES:
            return problem(request, 413, "body_too_large", limit_bytes=MAXIMUM_BODY_BYTES)
        query = request.scope["query_string"]
        url = self.addresses[service].copy_with(raw_path=path + (b"?" + query if query else b""))
        if url.path == NOT_FOR_OUTSIDE:
            return problem(request, 404, "not_found")
        passed = self.client.build_request(
            request.method,
            url,
            headers=_passed_on(request, service),
            content=_body(request) if _has_body(request) else None,
        )
        try:
            answer = await self.client.send(passed, stream=True)
        except httpx.TimeoutException as error:
            log.warning("a service is too slow", service=service, reason=type(error).__name__)
            return problem(request, 504, "too_slow", retry=True)
        except httpx.HTTPError as error:
            log.warning("a service is away", service=service, reason=f"{type(error).__name__}: {error}")
            return problem(request, 503, "unavailable", retry=True)
        except TooLarge:
            return problem(request, 413, "body_too_large", limit_bytes=MAXIMUM_BODY_BYTES)
        except ClientDisconnect:
            return Response(status_code=499)
        response = StreamingResponse(_content(answer), answer.status_code, background=BackgroundTask(answer.aclose))
        response.raw_headers = _passed_back(answer.headers.raw, service)
        return response


async def _content(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The answer's bytes as they come; a service that breaks off lets our answer break off as well."""
    try:
        async with aclosing(answer.aiter_raw()) as chunks:  # type: ignore[type-var]  # an async generator, typed as an iterator
            async for chunk in chunks:
                yield chunk
    finally:
        await answer.aclose()


async def _body(request: Request) -> AsyncIterator[bytes]:
    passed = 0
    async for chunk in request.stream():
        passed += len(chunk)
        if passed > MAXIMUM_BODY_BYTES:
            raise TooLarge
        if chunk:
            yield chunk


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def _passed_on(request: Request, service: str) -> list[Header]:
    """The caller's headers for the service; who called and at which address is told anew, whatever he says of it."""
    told = [
        (b"x-forwarded-for", request.client.host.encode() if request.client else b"unknown"),
        (b"x-forwarded-host", request.headers.get("host", "").encode("latin-1")),
        (b"x-forwarded-proto", request.url.scheme.encode()),
        (b"x-forwarded-prefix", f"/api/{service}".encode()),
    ]
    return [*_end_to_end(request.headers.raw, OURS), *told]


def _passed_back(headers: Iterable[Header], service: str) -> list[Header]:
    """The service's headers for the caller; a place on the service becomes one below our address."""
    return [
        (name.lower(), b"/api/" + service.encode() + value if _is_own_place(name, value) else value)
        for name, value in _end_to_end(headers, frozenset())
    ]


def _is_own_place(name: bytes, value: bytes) -> bool:
    return name.lower() in {b"location", b"content-location"} and value.startswith(b"/") and value[1:2] != b"/"


def _end_to_end(headers: Iterable[Header], without: frozenset[bytes]) -> list[Header]:
    headers = list(headers)
    named = {
        word.strip().lower() for name, value in headers if name.lower() == b"connection" for word in value.split(b",")
    }
    dropped = HOP_BY_HOP | named | without
    return [(name, value) for name, value in headers if name.lower() not in dropped]
