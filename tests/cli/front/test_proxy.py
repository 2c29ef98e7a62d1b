"""The one address: what is passed on and back, what stays between two hops, and what happens when a service is away."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from cli.front import proxy as proxy_module
from cli.front.app import application
from cli.stack.ports import free_port
from tests.served import served


async def echo(request: Request) -> Response:
    """Tells what came."""
    return JSONResponse(
        {
            "method": request.method,
            "path": request.scope["raw_path"].decode(),
            "query": request.url.query,
            "headers": {name.decode(): value.decode() for name, value in request.headers.raw},
            "body": (await request.body()).decode(),
        },
        headers={"ETag": '"3"', "Connection": "X-Secret", "X-Secret": "between hops", "Keep-Alive": "timeout=5"},
    )


async def created(_: Request) -> Response:
    answer = Response(status_code=201, headers={"Location": "/things/1"})
    answer.raw_headers += [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    return answer


async def large(request: Request) -> Response:
    count = int(request.query_params["chunks"])

    async def chunks() -> AsyncIterator[bytes]:
        for number in range(count):
            yield bytes([number % 251]) * 65_536

    return StreamingResponse(chunks(), media_type="application/octet-stream")


async def breaking(_: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"the first half"
        raise RuntimeError("broken on purpose")

    return StreamingResponse(chunks(), headers={"Content-Length": "100"})


async def refuses_unread(_: Request) -> Response:
    return JSONResponse({"code": "body_too_large"}, 413)


SERVICE = Starlette(
    routes=[
        Route("/created", created, methods=["POST"]),
        Route("/large", large),
        Route("/breaking", breaking),
        Route("/refuses", refuses_unread, methods=["POST"]),
        Route("/metrics", echo),
        Route("/{path:path}", echo, methods=["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]),
    ]
)


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """A client of the one address in front of a real service, and of one that nobody serves."""
    async with served(SERVICE) as service:
        ports = {"billing": service, "portal": free_port()}
        async with (
            served(application({name: f"http://127.0.0.1:{port}" for name, port in ports.items()})) as front,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{front}", timeout=20) as found,
        ):
            yield found


async def test_a_request_arrives_as_it_was_sent(client: httpx.AsyncClient) -> None:
    path = "/api/billing/contracts/a%2Fb%20c?at=2026-01-01&at=%C3%A4"
    answer = await client.post(path, json={"a": 1}, headers={"Authorization": "Bearer x", "If-Match": '"3"'})
    came = answer.json()
    assert (came["method"], came["path"], came["query"]) == ("POST", "/contracts/a%2Fb%20c", "at=2026-01-01&at=%C3%A4")
    assert came["body"] == '{"a":1}'
    assert (came["headers"]["authorization"], came["headers"]["if-match"]) == ("Bearer x", '"3"')
    assert answer.headers["ETag"] == '"3"'


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_every_method_is_passed_on(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/api/billing/x")
    assert answer.status_code == 200
    assert answer.content == b"" if method == "HEAD" else answer.json()["method"] == method
    assert method != "GET" or "content-length" not in answer.json()["headers"]


async def test_what_is_between_two_hops_stays_there(client: httpx.AsyncClient) -> None:
    headers = {
        "Connection": "X-Mine",
        "X-Mine": "1",
        "TE": "trailers",
        "Upgrade": "h2c",
        "Proxy-Authorization": "secret",
    }
    answer = await client.get("/api/billing/x", headers=headers)
    assert not {"x-mine", "te", "upgrade", "proxy-authorization"} & set(answer.json()["headers"])
    assert not {"x-secret", "keep-alive"} & set(answer.headers)


async def test_who_called_is_told_by_us_alone(client: httpx.AsyncClient) -> None:
    lies = {
        "X-Forwarded-For": "6.6.6.6",
        "Forwarded": "for=6.6.6.6",
        "X-Forwarded-Proto": "https",
        "X-Real-IP": "6.6.6.6",
    }
    came = (await client.get("/api/billing/x", headers=lies)).json()["headers"]
    assert came["x-forwarded-for"] == "127.0.0.1"
    assert came["x-forwarded-proto"] == "http"
    assert came["x-forwarded-host"] == client.base_url.netloc.decode()
    assert came["x-forwarded-prefix"] == "/api/billing"
    assert not {"forwarded", "x-real-ip"} & set(came)


async def test_places_and_repeated_headers_come_back(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/billing/created")
    assert answer.headers["Location"] == "/api/billing/things/1"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


async def test_bodies_of_unknown_length_stream_both_ways(client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 1000

    assert len((await client.post("/api/billing/x", content=chunks())).json()["body"]) == 20_000
    async with client.stream("GET", "/api/billing/large?chunks=200") as answer:
        sizes = [len(chunk) async for chunk in answer.aiter_raw()]
    assert sum(sizes) == 200 * 65_536


async def test_a_service_that_breaks_off_lets_the_answer_break_off(client: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/api/billing/breaking")
    assert (await client.get("/api/billing/x")).status_code == 200


async def test_an_early_refusal_comes_through(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/billing/refuses", content=b"x" * 3_000_000)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_too_large_is_refused_before_and_while_it_is_read(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy_module, "MAXIMUM_BODY_BYTES", 1_000)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 500

    for content in (b"x" * 1_500, chunks()):
        answer = await client.post("/api/billing/x", content=content, headers={"Accept-Language": "de"})
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
        assert answer.json()["detail"] == "Höchstens 1.000 Bytes werden angenommen."


async def test_a_service_that_is_away_is_a_problem_that_passes(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/portal/me", headers={"Accept-Language": "de-DE"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"].startswith("Der Dienst ist gerade nicht verfügbar.")


async def test_a_service_that_is_too_slow_is_a_problem() -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too slow", request=request)

    app = application({"billing": "http://billing:1"}, httpx.MockTransport(never))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://front") as asking:
        answer = await asking.get("/api/billing/x")
    assert (answer.status_code, answer.json()["code"]) == (504, "too_slow")


@pytest.mark.parametrize(
    "path", ["/api/billing/metrics", "/api/billing//metrics", "/api/billing/./metrics", "/api/billing/%6Detrics"]
)
async def test_figures_for_operators_are_not_for_outside(client: httpx.AsyncClient, path: str) -> None:
    request = client.build_request("GET", "/")
    request.url = client.base_url.copy_with(raw_path=path.encode())
    assert (await client.send(request)).status_code == 404


@pytest.mark.parametrize("path", ["/api/nothing/x", "/api/nothing", "/elsewhere", "/api/docs/../docs/secret"])
async def test_what_is_not_there_is_a_problem(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["detail"]


async def test_the_page_needs_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = await client.get("/", follow_redirects=True)
    assert page.url.path == "/api/docs"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    sources = [part.split('"')[1] for part in page.text.replace("href=", "src=").split("src=")[1:]]
    assert all(source.startswith(("/", "data:")) for source in sources), sources
    for source in sources:
        if source.startswith("/api/docs"):
            assert (await client.get(source)).status_code == 200, source


def test_each_wait_is_bounded() -> None:
    timeout = proxy_module.TIMEOUT
    assert None not in (timeout.connect, timeout.read, timeout.write, timeout.pool)
