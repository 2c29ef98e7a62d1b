"""The boundary of a service: every kind of problem, what is refused before an endpoint sees it, commands and ETags."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import httpx
import pytest
import structlog
from fastapi import APIRouter, Body, Depends, FastAPI, Form, Request, Response, UploadFile
from fastapi.responses import StreamingResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import BaseModel, Field, SecretStr
from structlog.testing import capture_logs

from chassis.auth import LocalKeys, Principal, TokenVerifier, allow, generate_key, issue
from chassis.errors import Conflict, NotFound, PreconditionFailed, Rejected, Unavailable
from chassis.http import CommandRequest, Limits, add_header, answer, conditional, create_app
from chassis.http import boundary as boundary_module
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
            "metadata": {name: getattr(command.metadata, name) for name in command.metadata.__slots__},
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


async def test_a_refusal_says_with_figures_in_the_callers_language(client: httpx.AsyncClient) -> None:
    german = await client.get("/v1/raise/rule", headers={"Accept-Language": "de-DE"})
    body = is_problem(german, 409, "above_upper_limit")
    assert body["detail"] == "Höchstens 120,00\xa0€ bis 01.05.2026."
    assert (body["upper_limit_cents"], body["until"], body["instance"]) == (12000, "2026-05-01", "/v1/raise/rule")
    assert german.headers["content-language"] == "de"
    english = is_problem(await client.get("/v1/raise/rule"), 409, "above_upper_limit")
    assert english["detail"] == "At most €120.00 until 1 May 2026."


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("untold", 409, "code_without_sentence"),
        ("invalid", 422, "invalid_iban"),
        ("forbidden", 403, "forbidden_here"),
        ("notfound", 404, "contract_not_found"),
        ("reused", 422, "idempotency_key_reused"),
        ("conflict", 409, "conflict"),
        ("precondition", 412, "precondition_failed"),
        ("unavailable", 503, "unavailable"),
        ("bug", 500, "internal_error"),
        ("standard", 409, "draft"),
    ],
)
async def test_every_family_has_its_status(client: httpx.AsyncClient, name: str, status: int, code: str) -> None:
    answered = await client.get(f"/v1/raise/{name}")
    is_problem(answered, status, code)
    assert "swordfish" not in answered.text
    assert "10.0.0.7" not in answered.text
    assert ("retry-after" in answered.headers) == (status == 503)


async def test_an_unexpected_error_is_logged_with_its_correlation(client: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        answered = await client.get("/v1/raise/bug", headers={"X-Correlation-Id": "case-7"})
    assert "case-7" in is_problem(answered, 500, "internal_error")["detail"]
    entry = next(entry for entry in logs if entry["event"] == "unexpected error")
    assert entry["exc_info"]


async def test_a_validation_error_names_the_place_and_not_the_secret(client: httpx.AsyncClient) -> None:
    answered = await client.post("/v1/login", json={"name": "swordfish-1", "password": "swordfish"})
    errors = is_problem(answered, 422, "invalid_request")["errors"]
    assert [error["path"] for error in errors] == ["body.name", "body.password"]
    assert errors[0]["code"] == "string_too_long"
    assert "swordfish" not in answered.text


async def test_unknown_routes_and_methods(client: httpx.AsyncClient) -> None:
    is_problem(await client.get("/nowhere"), 404, "not_found")
    is_problem(await client.get("/v1/me/"), 404, "not_found")
    refused = await client.delete("/v1/me")
    is_problem(refused, 405, "method_not_allowed")
    assert refused.headers["allow"] == "GET"


async def test_who_may(client: httpx.AsyncClient) -> None:
    nobody = await client.get("/v1/me")
    is_problem(nobody, 401, "unauthenticated")
    assert nobody.headers["www-authenticate"] == 'Bearer realm="portico"'
    wrong = await client.get("/v1/me", headers={"Authorization": "Bearer x.y.z"})
    is_problem(wrong, 401, "token_invalid")
    assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
    is_problem(await client.get("/v1/me", headers={"Authorization": "Basic eDp5"}), 401, "token_invalid")
    body = is_problem(await client.get("/v1/me", headers=token("erp")), 403, "forbidden")
    assert body["role"] == "erp"
    assert (await client.get("/v1/me", headers=token("staff"))).json() == "staff"


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{", JSON, 400, "invalid_json"),
        (b'"\xff\xfe"', JSON, 400, "invalid_json"),
        ('"ä"'.encode("latin-1"), JSON, 400, "invalid_json"),
        ('"ä"'.encode("utf-16"), JSON, 400, "invalid_json"),
        (b"NaN", JSON, 400, "invalid_json"),
        (b'"\\ud800"', JSON, 400, "invalid_json"),
        (b"[" * 2_000 + b"]" * 2_000, JSON, 400, "invalid_json_depth"),
        (b"[" * 65 + b"]" * 65, JSON, 400, "invalid_json_depth"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, JSON, 400, "invalid_json_depth"),
        (b"[" * 65 + b'"' + rb"\"" * 1_900, JSON, 400, "invalid_json_depth"),
        (b'{"a": ["b\\u0000c"]}', JSON, 400, "invalid_character"),
        (b'{"a\\u0000": 1}', JSON, 400, "invalid_character"),
        (b'"' + b"x" * 5_000 + b'"', JSON, 413, "body_too_large"),
        (b"{}", {"Content-Type": "application/xml"}, 415, "unsupported_media_type"),
        (b"{}", {}, 415, "unsupported_media_type"),
        (b"{}", {"Content-Type": "application/json; charset=iso-8859-1"}, 415, "unsupported_encoding"),
        (b"{}", {**JSON, "Content-Encoding": "gzip"}, 415, "unsupported_encoding"),
        (b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
        (b"{}", {**JSON, "Content-Length": "-1"}, 413, "body_too_large"),
    ],
)
async def test_bad_bodies_are_refused(
    client: httpx.AsyncClient, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    is_problem(await client.post("/v1/login", content=content, headers=headers), status, code)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 64 + b"]" * 64,
        json.dumps(["[{" * 100, '\\"[[', "\\u0000"]).encode(),
        json.dumps([{"a": [1]}] * 100).encode(),
        b'{"a": "\\\\u0000"}',
    ],
)
async def test_what_only_looks_bad_is_accepted(client: httpx.AsyncClient, content: bytes) -> None:
    answered = await client.post("/v1/echo", content=content, headers=JSON)
    assert answered.json() == json.loads(content)


def test_a_string_without_an_end_is_looked_at_once() -> None:
    """With a search that goes back this would take hours."""
    assert boundary_module._depth(b"[" * 65 + b'"' + rb"\"" * 500_000) == 65


@pytest.mark.parametrize("url", ["/v1/raise/a%00b", "/v1/me?x=%00"])
async def test_nul_characters_in_addresses_are_refused(client: httpx.AsyncClient, url: str) -> None:
    is_problem(await client.get(url), 400, "invalid_character")


async def test_nul_characters_in_forms_are_refused(client: httpx.AsyncClient) -> None:
    is_problem(await client.post("/v1/form", data={"name": "a\x00"}), 400, "invalid_character")
    assert (await client.post("/v1/form", data={"name": "ä"})).json() == "ä"


async def test_a_body_without_a_length_is_cut_at_the_limit(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1_000):
            yield b"[" * 1_000

    is_problem(await client.post("/v1/echo", content=endless(), headers=JSON), 413, "body_too_large")


async def test_uploads_stream_up_to_the_limit_of_their_path(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/larger/upload", files={"file": b"x" * 15_000})).json() == 15_000
    refused = await client.post("/v1/larger/upload", files={"file": b"x" * 20_000})
    assert is_problem(refused, 413, "body_too_large")["limit_bytes"] == 20_000

    async def chunked() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        for _ in range(30):
            yield b"x" * 1_000
        yield b"\r\n--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    refused = await client.post("/v1/larger/upload", content=chunked(), headers=headers)
    assert is_problem(refused, 413, "body_too_large")["limit_bytes"] == 20_000
    broken = await client.post("/v1/larger/upload", content=b"--b--", headers={"Content-Type": "multipart/form-data"})
    is_problem(broken, 400, "invalid_request")


async def raw_post(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Speaks ASGI itself, to be slow or to hang up."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"transfer-encoding", b"chunked")]
    scope = {"type": "http", "method": "POST", "path": "/v1/echo", "raw_path": b"/v1/echo", "query_string": b""}
    await make_app()({**scope, "headers": headers, "root_path": "", "scheme": "http"}, receive, send)
    return sent


async def test_a_body_that_does_not_arrive_is_not_waited_for() -> None:
    sent = await raw_post([{"type": "http.request", "body": b"[", "more_body": True}])
    assert sent[0]["status"] == 408


async def test_a_body_that_breaks_off_is_not_taken_for_whole() -> None:
    assert (
        await raw_post([{"type": "http.request", "body": b"1", "more_body": True}, {"type": "http.disconnect"}]) == []
    )


async def test_an_answer_that_does_not_begin_is_not_waited_for() -> None:
    app = create_app("test", TEXTS, TokenVerifier(LocalKeys([KEY])), limits=Limits(answer_seconds=0.05))

    @app.get("/never")
    async def never() -> None:
        await asyncio.Event().wait()

    @app.get("/slowly")
    async def slowly() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"begun,"
            await asyncio.sleep(0.1)
            yield b"ended"

        return StreamingResponse(parts())

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        is_problem(await client.get("/never"), 503, "unavailable")
        assert (await client.get("/slowly")).content == b"begun,ended"
        cancelled = asyncio.create_task(client.get("/never"))
        await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled


async def test_correlation_goes_in_and_out(client: httpx.AsyncClient) -> None:
    given = await client.get("/v1/me", headers={"X-Correlation-Id": "order-4711:a"})
    assert given.headers["x-correlation-id"] == "order-4711:a"
    for bad in ("", "a" * 101, "a b", "ä", "a\tb"):
        made = await client.get("/v1/me", headers={"X-Correlation-Id": bad.encode("latin-1")})  # type: ignore[dict-item]
        assert made.headers["x-correlation-id"] != bad
        assert len(made.headers["x-correlation-id"]) == 32


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_command_knows_who_and_why(client: httpx.AsyncClient) -> None:
    headers = {**token(act={"sub": "staff-7"}), "X-Correlation-Id": "c-1", "If-Match": '"3"', "traceparent": TRACE}  # type: ignore[arg-type]
    answered = await client.post("/v1/things/1", json={}, headers=headers)
    assert answered.json()["metadata"] == {
        "correlation_id": "c-1",
        "causation_id": None,
        "actor": "staff-7",
        "traceparent": TRACE,
        "acted_as": "user-1",
    }
    assert (answered.json()["expected"], answered.json()["key"]) == (3, None)
    assert answered.headers["portico-position"] == "test/2:1234"
    assert answered.headers["etag"] == '"7"'


async def key(client: httpx.AsyncClient, path: str = "/v1/things/1", subject: str = "user-1", body: Any = 1) -> Any:
    headers = {**token(sub=subject), "Idempotency-Key": "k-1"}
    return tuple((await client.post(path, json=body, headers=headers)).json()["key"])


async def test_an_idempotency_key_belongs_to_its_sender_and_route(client: httpx.AsyncClient) -> None:
    first = await key(client)
    assert await key(client) == first
    assert (await key(client, subject="user-2"))[0] != first[0]
    for other in (await key(client, body=2), await key(client, "/v1/things/2"), await key(client, "/v1/things/1?x=1")):
        assert other[0] == first[0]
        assert other[1] != first[1]


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("Idempotency-Key", "", "invalid_idempotency_key"),
        ("Idempotency-Key", "a" * 201, "invalid_idempotency_key"),
        ("Idempotency-Key", "a b", "invalid_idempotency_key"),
        ("If-Match", "3", "invalid_if_match"),
        ("If-Match", "*", "invalid_if_match"),
        ("If-Match", 'W/"3"', "invalid_if_match"),
        ("If-Match", '"3", "4"', "invalid_if_match"),
        ("If-Match", '"' + "9" * 30 + '"', "invalid_if_match"),
    ],
)
async def test_wrong_command_headers_are_refused(client: httpx.AsyncClient, header: str, value: str, code: str) -> None:
    is_problem(await client.post("/v1/things/1", json={}, headers={**token(), header: value}), 422, code)


async def test_a_read_that_is_known_already_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/v1/page")
    tag = first.headers["etag"]
    assert first.headers["portico-position-reached"] == "false"
    for known in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        again = await client.get("/v1/page", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["portico-position-reached"] == "false"
    assert (await client.get("/v1/page", headers={"If-None-Match": '"x"'})).status_code == 200


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(boundary_module, "tracer", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


async def test_a_request_goes_on_with_the_callers_trace(client: httpx.AsyncClient, spans: InMemorySpanExporter) -> None:
    answered = await client.post("/v1/things/1", json={}, headers={**token(), "traceparent": TRACE})
    (span,) = spans.get_finished_spans()
    assert span.name == "POST /v1/things/{id_}"
    assert span.parent is not None
    assert span.context is not None
    assert f"{span.parent.trace_id:032x}-{span.parent.span_id:016x}" in TRACE
    own = f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"
    assert answered.json()["metadata"]["traceparent"] == own


async def test_errors_are_marked_and_probes_are_not_traced(
    client: httpx.AsyncClient, spans: InMemorySpanExporter
) -> None:
    await client.get("/health/live")
    await client.get("/v1/raise/bug")
    await client.get("/some/path")
    names = [(span.name, span.status.is_ok) for span in spans.get_finished_spans()]
    assert names == [("GET /v1/raise/{name}", False), ("GET unknown", True)]


def test_the_openapi_document_is_valid_and_complete() -> None:
    document = make_app().openapi()
    validate(document)  # type: ignore[arg-type]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["paths"]["/v1/me"]["get"]["security"] == [{"bearer": []}]
    for path in document["paths"].values():
        for operation in path.values():
            schema = operation["responses"]["4XX"]["content"]["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}
    assert "HTTPValidationError" not in document["components"]["schemas"]
    command = document["paths"]["/v1/things/{id_}"]["post"]
    assert {parameter["name"] for parameter in command["parameters"]} == {"id_", "Idempotency-Key", "If-Match"}
    assert set(command["responses"]["200"]["headers"]) == {"Portico-Position", "ETag"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode("utf-8", "replace")))
def test_no_body_is_an_unexpected_error(content: bytes) -> None:
    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(FUZZED)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/v1/login", content=content, headers=JSON)

    answered = asyncio.run(post())
    assert answered.status_code in {400, 413, 422}
    assert answered.headers["content-type"] == "application/problem+json"


FUZZED = make_app()
