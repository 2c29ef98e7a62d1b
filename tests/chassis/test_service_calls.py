"""Tokens among services: short, of known services only, and of no use as anything else."""

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from chassis.auth import LocalKeys, TokenVerifier, Unauthenticated
from chassis.http import create_app
from chassis.service_calls import LEEWAY_SECONDS, LIFETIME_SECONDS, ServiceCalls, called_by_service
from chassis.texts import Texts
from chassis.tickets import Ticket, Tickets

KEY = b"k" * 32


def code_of(calls: ServiceCalls, token: str) -> str:
    with pytest.raises(Unauthenticated) as refused:
        calls.caller(token)
    return refused.value.code


def test_a_token_is_good_for_a_minute() -> None:
    now = [1_000_000.0]
    calls = ServiceCalls(KEY, lambda: now[0])
    token = calls.token("notifications")
    assert ServiceCalls(KEY, lambda: now[0]).caller(token) == "notifications"
    now[0] += LIFETIME_SECONDS + LEEWAY_SECONDS
    assert calls.caller(token) == "notifications"
    now[0] += 1
    assert code_of(calls, token) == "token_expired"


def test_what_others_made_is_refused() -> None:
    calls = ServiceCalls(KEY)
    for token in (
        "",
        "a.b.c",
        "x" * 10_000,
        ServiceCalls(b"x" * 32).token("notifications"),
        calls.token("stranger"),
        Tickets(KEY).issue(Ticket("user/1", "customers", "cancellation")),
    ):
        assert code_of(calls, token) == "token_invalid"


def test_an_endpoint_names_the_services_that_may_call_it() -> None:
    calls = ServiceCalls(KEY)
    app: FastAPI = create_app("identity", Texts({}), TokenVerifier(LocalKeys([])))

    @app.post("/links")
    async def links(service: str = Depends(called_by_service(calls, "notifications"))) -> str:
        return service

    client = TestClient(app)

    def answered(token: str) -> tuple[int, str]:
        answer = client.post("/links", headers={"Authorization": f"Bearer {token}"} if token else {})
        return answer.status_code, answer.json() if answer.is_success else answer.json()["code"]

    assert answered(calls.token("notifications")) == (200, "notifications")
    assert answered(calls.token("billing")) == (403, "forbidden")
    assert answered("") == (401, "unauthenticated")
    assert answered("nonsense") == (401, "token_invalid")
