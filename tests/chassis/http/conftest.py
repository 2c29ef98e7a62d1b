"""A service with an endpoint for everything that the boundary does, and what each of its problems has."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import httpx
import pytest
import structlog
from fastapi import APIRouter, Body, Depends, FastAPI, Form, Request, Response, UploadFile
from pydantic import BaseModel, Field, SecretStr

from chassis.auth import LocalKeys, Principal, TokenVerifier, allow, generate_key, issue
from chassis.errors import Conflict, NotFound, PreconditionFailed, Rejected, Unavailable
from chassis.http import CommandRequest, Limits, add_header, answer, conditional, create_app
from chassis.streams import Outcome
from chassis.texts import Texts
from contracts.ids import Position

KEY = generate_key()
TEXTS = Texts.of(
    {
        "above_upper_limit": {
            "de": "Höchstens {upper_limit_cents} bis {until}.",
            "en": "At most {upper_limit_cents} until {until}.",
        }
    }
)
RAISED: dict[str, Exception] = {
    "rule": Rejected("above_upper_limit", upper_limit_cents=12000, until=date(2026, 5, 1), currency="EUR"),
    "untold": Rejected("code_without_sentence", at=datetime(2026, 1, 1, tzinfo=UTC), set={"b", "a"}),
    "invalid": Rejected("invalid_iban"),
    "forbidden": Rejected("forbidden_here"),
    "notfound": NotFound("contract_not_found"),
    "reused": Rejected("idempotency_key_reused"),
    "conflict": Conflict("stream/1", 3, 4),
    "precondition": PreconditionFailed("stream/1", 3, 4),
    "unavailable": Unavailable("kafka at 10.0.0.7 is away"),
    "bug": RuntimeError("the password is swordfish"),
    "standard": Rejected("draft", status="draft", title="x", type="y"),
}


class Login(BaseModel):
    name: str = Field(max_length=5)
    password: SecretStr = Field(min_length=20)


def token(role: str = "customer", **claims: str) -> dict[str, str]:
    claims = Principal(role, "user-1").claims() | claims  # type: ignore[arg-type]
    return {"Authorization": f"Bearer {issue(KEY, claims, timedelta(minutes=1))}"}


def make_app() -> FastAPI:
    app = create_app("test", TEXTS, TokenVerifier(LocalKeys([KEY])), limits=Limits(5_000, 0.3, {"/v1/larger": 20_000}))
    router = APIRouter(prefix="/v1", tags=["Tests"])

    @router.get("/raise/{name}")
    async def fail(name: str) -> None:
        raise RAISED[name]

    @router.post("/login")
    async def login(body: Login) -> None:
        return None

    @router.post("/echo")
    async def echo(body: Annotated[Any, Body()]) -> Any:
        return body

    @router.post("/form")
    async def form(name: Annotated[str, Form()]) -> str:
        return name

    @router.post("/larger/upload")
    async def upload(file: UploadFile) -> int:
        return len(await file.read())

    @router.get("/me")
    async def me(principal: Annotated[Principal, Depends(allow("customer", "staff"))]) -> str:
        return principal.role

    @router.post("/things/{id_}")
    async def command(
        id_: str,
        body: Annotated[Any, Body()],
        command: CommandRequest,
        response: Response,
        _: Annotated[Principal, Depends(allow())],
    ) -> dict[str, Any]:
        answer(response, Outcome(Position("test", 2, 1234), 7, ()))
        key = command.key
        return {
            "metadata": command.metadata._asdict(),
            "key": key and [key.key, key.fingerprint],
            "expected": command.expected_version,
        }

    @router.get("/page")
    async def page(request: Request) -> Response:
        add_header(request, "Portico-Position-Reached", "false")
        return conditional(request, Login(name="x", password=SecretStr("y" * 20)))

    app.include_router(router)
    return app


@pytest.fixture(autouse=True, scope="module")
def plain_logs() -> Iterator[None]:
    """Without structlog's rich tracebacks, which take a second each."""
    before = structlog.get_config()
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])
    yield
    structlog.configure(**before)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(make_app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def is_problem(answered: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answered.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answered.json()
    assert (answered.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["type"] == f"urn:portico:problem:{code}"
    assert body["title"]
    assert body["detail"]
    assert body["correlation_id"] == answered.headers["x-correlation-id"]
    return body
