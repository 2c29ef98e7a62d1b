"""Headers in and out: correlation, traces, idempotency keys, versions and ETags."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis.http import boundary as boundary_module
from tests.chassis.http.conftest import is_problem, token


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
