"""Bodies: what is refused before an endpoint sees it, and what is not waited for."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi.responses import StreamingResponse
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.auth import LocalKeys, TokenVerifier
from chassis.http import Limits, create_app
from chassis.http import boundary as boundary_module
from tests.chassis.http.conftest import KEY, TEXTS, is_problem, make_app

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
