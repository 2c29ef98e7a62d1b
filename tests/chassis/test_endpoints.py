"""Endpoints that run by plan answer to the byte as FastAPI answers itself, and what no plan covers FastAPI answers."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import date
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Body, Cookie, Depends, FastAPI, Header, HTTPException, Path, Query, Request, Response
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field

from chassis.auth import LocalKeys, TokenVerifier
from chassis.errors import Rejected
from chassis.http import create_app
from chassis.http.boundary import Boundary, Limits
from chassis.http.endpoints import plan
from chassis.texts import Texts

CALLS: list[str] = []


class Thing(BaseModel):
    name: str = Field(max_length=5)
    count: int = 1
    note: str | None = None


async def language(request: Request, x_language: Annotated[str, Header(pattern="^[a-z]{2}$")] = "de") -> str:
    CALLS.append("language")
    request.state.language = x_language
    return x_language


async def greeting(language: Annotated[str, Depends(language)], response: Response) -> str:
    CALLS.append("greeting")
    response.headers["X-Greeting"] = language
    return f"hello {language}"


async def guard(request: Request) -> None:
    CALLS.append("guard")
    if "x-forbidden" in request.headers:
        raise Rejected("forbidden_here")


async def yielding() -> AsyncIterator[str]:
    yield "yielded"


def blocking() -> str:
    return "blocked"


api = APIRouter(prefix="/v1")


@api.get("/things/{number}", dependencies=[Depends(guard)])
async def read(
    *,
    number: int,
    greeting: Annotated[str, Depends(greeting)],
    language: Annotated[str, Depends(language)],
    until: date | None = None,
    limit: Annotated[int, Query(ge=1, le=9)] = 3,
    tags: Annotated[list[str] | None, Query()] = None,
    flag: bool = False,
) -> dict[str, Any]:
    return {"all": [number, greeting, language, until, limit, tags, flag]}


@api.get("/language")
async def spoken(greeting: Annotated[str, Depends(greeting)], limit: int = 0) -> str:
    return greeting


@api.get("/things/special")
async def never() -> str:
    return "the route before it matches first"


@api.post("/things/{key:path}", status_code=201)
async def write(key: Annotated[str, Path(max_length=8)], thing: Thing, response: Response) -> Thing:
    if thing.count > 5:
        response.status_code = 202
    if thing.count < 0:
        raise HTTPException(415)
    return thing


@api.put("/things", response_model_exclude_unset=True)
async def two(thing: Thing, other: Annotated[int, Body()]) -> Thing:
    return thing.model_copy(update={"count": other})


@api.delete("/things/{number}", status_code=204)
async def delete(number: int) -> None:
    return None


@api.get("/ready")
async def ready() -> Response:
    return Response(b"ready", media_type="text/plain", headers={"X-Ready": "yes"})


@api.get("/untyped")
async def untyped():  # type: ignore[no-untyped-def]
    return {"at": date(2026, 1, 1)}


@api.get("/others")
async def others(
    a: Annotated[str, Depends(yielding)], b: Annotated[str, Depends(blocking)], c: Annotated[str, Cookie()] = ""
) -> list[str]:
    return [a, b, c]


def make_app(*, planned: bool) -> FastAPI:
    app = create_app("test", Texts.of({}), TokenVerifier(LocalKeys([])))
    app.include_router(api)
    if not planned:
        app.middleware_stack = Boundary(FastAPI.build_middleware_stack(app), Limits())
    return app


@pytest.fixture
async def both() -> AsyncIterator[list[httpx.AsyncClient]]:
    async with AsyncExitStack() as stack:
        transports = [httpx.ASGITransport(make_app(planned=planned)) for planned in (True, False)]
        clients = [httpx.AsyncClient(transport=transport, base_url="http://test") for transport in transports]
        yield [await stack.enter_async_context(client) for client in clients]


FIXED = {"X-Correlation-Id": "c-1"}
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/v1/things/1", {}),
    ("GET", "/v1/things/1?until=2026-01-02&limit=9&tags=a&tags=b&flag=true", {"headers": {"X-Language": "en"}}),
    ("GET", "/v1/things/1?limit=", {}),
    ("GET", "/v1/things/x?limit=10&until=never&flag=2", {}),
    ("GET", "/v1/language", {"headers": {"X-Language": "english"}}),
    ("GET", "/v1/things/x", {"headers": {"X-Language": "english", "X-Forbidden": "1"}}),
    ("GET", "/v1/things/1", {"headers": {"X-Forbidden": "1"}}),
    ("GET", "/v1/things/special", {}),
    ("HEAD", "/v1/things/1", {}),
    ("PATCH", "/v1/things/1", {}),
    ("GET", "/v1/nothing", {}),
    ("POST", "/v1/things/a/b", {"json": {"name": "n"}}),
    ("POST", "/v1/things/a%2Fb", {"json": {"name": "n", "count": 9, "more": 1}}),
    ("POST", "/v1/things/a", {"json": {"name": "n", "count": -1}}),
    ("POST", "/v1/things/far-too-long", {"json": {"name": "far too long", "count": "x"}}),
    ("POST", "/v1/things/a", {"json": [1]}),
    ("POST", "/v1/things/a", {"content": b"null", "headers": {"Content-Type": "application/json"}}),
    ("POST", "/v1/things/a", {}),
    ("POST", "/v1/things/a", {"data": {"name": "n"}}),
    ("POST", "/v1/things/a", {"content": b"name", "headers": {"Content-Type": "text/csv"}}),
    ("PUT", "/v1/things", {"json": {"thing": {"name": "n"}, "other": 7}}),
    ("PUT", "/v1/things", {"json": {"thing": {"name": 1}}}),
    ("DELETE", "/v1/things/1", {}),
    ("GET", "/v1/ready", {}),
    ("GET", "/v1/untyped", {}),
    ("GET", "/v1/others", {"headers": {"Cookie": "c=cookie"}}),
    ("GET", "/openapi.json", {}),
]


@pytest.mark.parametrize(("method", "path", "more"), REQUESTS, ids=lambda value: str(value)[:40])
async def test_a_plan_answers_as_fastapi_does(
    both: list[httpx.AsyncClient], method: str, path: str, more: dict[str, Any]
) -> None:
    seen = []
    for client in both:
        CALLS.clear()
        more = more | {"headers": FIXED | more.get("headers", {})}
        answered = await client.request(method, path, **more)
        seen.append((answered.status_code, sorted(answered.headers.items()), answered.content, list(CALLS)))
    assert seen[0] == seen[1]


async def test_a_mistake_in_what_is_needed_twice_is_named_once(both: list[httpx.AsyncClient]) -> None:
    answered = await both[0].get("/v1/things/x", headers={"X-Language": "english"})
    assert [error["path"] for error in answered.json()["errors"]] == ["header.x-language", "path.number"]
    assert CALLS == ["guard"]


def test_all_is_planned_but_what_blocks_yields_or_reads_cookies() -> None:
    app = make_app(planned=True)
    unplanned = {route.path for route in iter_route_contexts(app.routes) if plan(route) is None}
    assert unplanned == {"/openapi.json", "/v1/others"}


@pytest.fixture(autouse=True)
def calls() -> Iterator[None]:
    yield
    CALLS.clear()
