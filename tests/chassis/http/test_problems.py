"""Every kind of problem: its status and code, in the caller's language, and without what must stay secret."""

import httpx
import pytest
from structlog.testing import capture_logs

from tests.chassis.http.conftest import is_problem, token


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
