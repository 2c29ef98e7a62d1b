"""Identity through HTTP: tokens for machines and developers, reveals, erasures."""

import asyncio
import base64
import statistics
import time
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate
from pydantic import SecretStr

from chassis.auth import RemoteKeys, TokenVerifier
from chassis.errors import Rejected
from chassis.keyring import seal
from chassis.settings import Settings
from chassis.testing import RunningService, eventually, running
from contracts.base import Sealed
from contracts.identity import PersonalDataRevealed, PersonErased
from services.identity.app import create
from services.identity.bootstrap import add_machine
from services.identity.persons.decider import PERSONS, ErasePerson
from tests.services.identity.conftest import Headers

GRANT = {"grant_type": "client_credentials"}


async def register(client: httpx.AsyncClient, as_: Headers, name: str, role: str = "erp") -> dict[str, str]:
    answered = await client.post("/machines", json={"name": name, "role": role}, headers=await as_("operator"))
    assert answered.status_code == 201
    assert answered.headers["cache-control"] == "no-store"
    credentials: dict[str, str] = answered.json()
    return credentials


async def code(answered: httpx.Response, status: int) -> str:
    assert answered.status_code == status, answered.text
    return str(answered.json()["code"])


def test_its_openapi_document_is_valid(identity: RunningService) -> None:
    document = identity.service.http.openapi()
    validate(document)  # type: ignore[arg-type]
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert all(operation.get("tags") and operation.get("summary") for operation in operations)


async def test_the_jwks_is_what_other_services_verify_with(client: httpx.AsyncClient, as_: Headers) -> None:
    answered = await client.get("/.well-known/jwks.json")
    assert answered.headers["cache-control"] == "public, max-age=60"
    assert [sorted(key) for key in answered.json()["keys"]] == [["alg", "crv", "kid", "kty", "use", "x"]]
    verifier = TokenVerifier(RemoteKeys("http://identity", client._transport))
    token = (await as_("customer", contact_id="c-1", portal_id="p", actor="staff/7"))["Authorization"].split()[1]
    principal = await verifier.verify(token)
    assert (principal.role, principal.contact_id, principal.portal_id, principal.actor) == (
        "customer",
        "c-1",
        "p",
        "staff/7",
    )


async def test_a_machine_gets_tokens_with_its_secret(client: httpx.AsyncClient, as_: Headers) -> None:
    credentials = await register(client, as_, "erp-1")
    answered = await client.post("/token", data=GRANT | credentials)
    assert (answered.status_code, answered.headers["cache-control"]) == (200, "no-store")
    assert (answered.json()["token_type"], answered.json()["expires_in"]) == ("Bearer", 900)
    verifier = TokenVerifier(RemoteKeys("http://identity", client._transport))
    principal = await verifier.verify(answered.json()["access_token"])
    assert (principal.role, principal.subject) == ("erp", f"machine/{credentials['client_id']}")

    basic = httpx.BasicAuth(credentials["client_id"], credentials["client_secret"])
    assert (await client.post("/token", data=GRANT, auth=basic)).status_code == 200
    listed = (await client.get("/machines", headers=await as_("operator"))).json()
    assert {"machine_id": credentials["client_id"], "name": "erp-1", "role": "erp"} in listed


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        (GRANT, 401, "invalid_client"),
        (GRANT | {"client_id": "nobody", "client_secret": "x"}, 401, "invalid_client"),
        (GRANT | {"client_id": "nobody", "client_secret": ""}, 401, "invalid_client"),
    ],
)
async def test_refused_tokens_have_the_shape_of_oauth(
    client: httpx.AsyncClient, form: dict[str, str], status: int, error: str
) -> None:
    answered = await client.post("/token", data=form)
    assert (answered.status_code, answered.json()["error"]) == (status, error)
    assert answered.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("header", ["Basic x:y", "Basic", "Bearer abc", "Basic /zr+"])
async def test_nonsense_in_the_header_is_an_unknown_client(client: httpx.AsyncClient, header: str) -> None:
    answered = await client.post("/token", data=GRANT, headers={"Authorization": header})
    assert (answered.status_code, answered.json()["error"]) == (401, "invalid_client")
    assert answered.headers["www-authenticate"].startswith("Basic")


async def test_a_wrong_secret_and_an_unknown_machine_look_the_same(client: httpx.AsyncClient, as_: Headers) -> None:
    known = (await register(client, as_, "erp-timing"))["client_id"]
    times: dict[str, list[float]] = {known: [], "00000000-0000-0000-0000-000000000000": []}
    answers = set()
    for _ in range(60):
        for client_id, taken in times.items():
            started = time.perf_counter()
            answered = await client.post("/token", data=GRANT | {"client_id": client_id, "client_secret": "wrong"})
            taken.append(time.perf_counter() - started)
            answers.add((answered.status_code, answered.text))
    assert len(answers) == 1
    one, other = (statistics.median(taken) for taken in times.values())
    assert max(one, other) < 2 * min(one, other)


async def test_secrets_change_and_machines_are_revoked(client: httpx.AsyncClient, as_: Headers) -> None:
    old, operator = await register(client, as_, "erp-2"), await as_("operator")
    machine = f"/machines/{old['client_id']}"
    new = (await client.post(f"{machine}/secret", headers=operator)).json()
    assert (await client.post("/token", data=GRANT | old)).status_code == 401
    assert (await client.post("/token", data=GRANT | new)).status_code == 200
    revoked = await client.post(f"{machine}/revoke", headers=operator)
    assert revoked.status_code == 204
    assert revoked.headers["portico-position"].startswith("identity/")
    assert (await client.post("/token", data=GRANT | new)).status_code == 401
    assert (await client.post(f"{machine}/revoke", headers=operator)).status_code == 204
    assert await code(await client.post(f"{machine}/secret", headers=operator), 409) == "machine_revoked"
    assert await code(await client.post("/machines/unknown/secret", headers=operator), 404) == "machine_not_found"


async def test_a_name_is_registered_once_however_many_try(client: httpx.AsyncClient, as_: Headers) -> None:
    body, operator = {"name": "erp-3", "role": "erp"}, await as_("operator")
    answers = await asyncio.gather(*(client.post("/machines", json=body, headers=operator) for _ in range(6)))
    assert sorted(answered.status_code for answered in answers) == [201] + [409] * 5
    winner = next(answered.json() for answered in answers if answered.status_code == 201)
    assert (await client.post("/token", data=GRANT | winner)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "roles"),
    [
        ("GET", "/machines", {"operator"}),
        ("POST", "/machines", {"operator"}),
        ("POST", "/machines/x/secret", {"operator"}),
        ("POST", "/machines/x/revoke", {"operator"}),
        ("POST", "/signing-keys/rotate", {"operator"}),
        ("POST", "/persons/contact/1/erase", {"operator"}),
        ("POST", "/reveal", {"operator", "staff", "erp"}),
    ],
)
async def test_who_may_what(client: httpx.AsyncClient, as_: Headers, method: str, path: str, roles: set[str]) -> None:
    assert await code(await client.request(method, path, json={"wrong": 1}), 401) == "unauthenticated"
    for role in ("customer", "installer", "staff", "operator", "erp", "gateway", "service"):
        if role not in roles:
            refused = await client.request(method, path, json={"wrong": 1}, headers=await as_(role))
            assert await code(refused, 403) == "forbidden"


async def test_the_first_operator_gets_in_by_the_database(client: httpx.AsyncClient, database_url: str) -> None:
    credentials = await add_machine(database_url, "ops-bootstrap", "operator")
    form = GRANT | {"client_id": credentials.machine_id, "client_secret": credentials.secret}
    token = (await client.post("/token", data=form)).json()["access_token"]
    assert (await client.get("/machines", headers={"Authorization": f"Bearer {token}"})).status_code == 200
    with pytest.raises(Rejected, match="machine_exists"):
        await add_machine(database_url, "ops-bootstrap", "operator")


async def test_no_secret_is_in_an_event(client: httpx.AsyncClient, as_: Headers, identity: RunningService) -> None:
    secret = (await register(client, as_, "erp-secret"))["client_secret"]
    async with identity.service.pool.connection() as connection:
        events = await (await connection.execute("SELECT data, metadata::text FROM events")).fetchall()
        rows = await (await connection.execute("SELECT machines::text FROM machines")).fetchall()
    assert events
    assert secret not in str(events) + str(rows)


async def test_there_are_no_development_tokens_in_production(settings: Settings) -> None:
    async with running(create, settings.model_copy(update={"development": False})) as production:
        refused = await production.client.post("/development/token", json={"role": "operator"})
        assert await code(refused, 403) == "forbidden_outside_development"


async def test_instances_accept_each_others_tokens(settings: Settings, client: httpx.AsyncClient, as_: Headers) -> None:
    async with running(create, settings) as second:
        assert (await second.client.get("/.well-known/jwks.json")).json() == (
            await client.get("/.well-known/jwks.json")
        ).json()
        assert (await second.client.get("/machines", headers=await as_("operator"))).status_code == 200


async def test_a_key_can_be_rotated_by_hand(client: httpx.AsyncClient, as_: Headers) -> None:
    operator = await as_("operator")
    rotated = (await client.post("/signing-keys/rotate", json={}, headers=operator)).json()
    assert rotated["retired"] == []
    kids = [key["kid"] for key in (await client.get("/.well-known/jwks.json")).json()["keys"]]
    assert rotated["key_id"] in kids
    assert len(kids) == 2
    again = await client.post("/signing-keys/rotate", json={}, headers={**operator, "Accept-Language": "de"})
    assert await code(again, 409) == "signing_key_waits_already"
    assert "unterschreibt ab" in again.json()["detail"]


async def boxes(identity: RunningService, person: str, *values: Any) -> list[dict[str, str]]:
    key = (await identity.service.keyring.provide([person]))[person]
    return [seal(value, person, key).model_dump() for value in values]


async def events(identity: RunningService, stream: str) -> list[Any]:
    return [envelope.event for envelope in await identity.service.streams.history(stream)]


async def test_sealed_values_are_shown_and_it_is_recorded(
    client: httpx.AsyncClient, as_: Headers, identity: RunningService
) -> None:
    wanted = await boxes(identity, "contact/anna", "Anna", {"street": "Am Markt 1"})
    foreign = Sealed(sealed="contact/nobody", box="AAAA").model_dump()
    broken = {**wanted[0], "box": "?"}
    body = {"boxes": [*wanted, foreign, broken], "reason": "a call of hers"}
    answered = await client.post("/reveal", json=body, headers=await as_("staff", subject="staff/7"))
    assert answered.json()["values"] == ["Anna", {"street": "Am Markt 1"}, None, None]
    assert answered.headers["cache-control"] == "no-store"
    assert await events(identity, f"reveals/{answered.json()['reveal_id']}") == [
        PersonalDataRevealed(
            reveal_id=answered.json()["reveal_id"],
            revealed_to="staff/7",
            reason="a call of hers",
            persons=("contact/anna", "contact/nobody"),
            values=2,
        )
    ]


async def test_a_repeated_reveal_is_recorded_once(
    client: httpx.AsyncClient, as_: Headers, identity: RunningService
) -> None:
    body = {"boxes": await boxes(identity, "contact/berta", "Berta"), "reason": "an audit"}
    headers = {**await as_("operator"), "Idempotency-Key": "reveal-1"}
    answers = [(await client.post("/reveal", json=body, headers=headers)).json() for _ in range(2)]
    assert answers[0] == answers[1]
    other = await client.post("/reveal", json={**body, "reason": "other"}, headers=headers)
    assert await code(other, 422) == "idempotency_key_reused"


@pytest.mark.parametrize(
    "body",
    [
        {"boxes": [{"sealed": "contact/1", "box": "AAAA"}]},
        {"boxes": [{"sealed": "contact/1", "box": "AAAA"}], "reason": "  "},
        {"boxes": [], "reason": "an audit"},
        {"boxes": [{"sealed": "contact/1", "box": "AAAA"}] * 1_001, "reason": "an audit"},
        {"boxes": [{"sealed": "x" * 201, "box": "AAAA"}], "reason": "an audit"},
        {"boxes": ["AAAA"], "reason": "an audit"},
    ],
)
async def test_a_reveal_needs_boxes_and_a_reason(client: httpx.AsyncClient, as_: Headers, body: Any) -> None:
    refused = await client.post("/reveal", json=body, headers=await as_("staff"))
    assert await code(refused, 422) == "invalid_request"


async def test_an_erased_person_cannot_be_read_again(
    client: httpx.AsyncClient, as_: Headers, identity: RunningService
) -> None:
    sealed, operator = await boxes(identity, "contact/carla", "Carla"), await as_("operator")
    erase = "/persons/contact/carla/erase"
    first = await client.post(erase, json={"reason": "she asked for it"}, headers=operator)
    assert first.json() == {"person": "contact/carla", "repeated": False}
    assert first.headers["portico-position"].startswith("identity/")
    again = await client.post(erase, json={"reason": "once more"}, headers=operator)
    assert again.json() == {"person": "contact/carla", "repeated": True}
    assert await events(identity, "persons/contact/carla") == [
        PersonErased(person="contact/carla", reason="she asked for it")
    ]
    revealed = await client.post("/reveal", json={"boxes": sealed, "reason": "an audit"}, headers=operator)
    assert revealed.json()["values"] == [None]
    assert await identity.service.keyring.provide(["contact/carla"]) == {}

    refused = await client.post("/persons/carla/erase", json={"reason": "typing error"}, headers=operator)
    assert await code(refused, 422) == "invalid_person"


async def test_a_crash_after_the_event_still_destroys_the_key(identity: RunningService) -> None:
    service = identity.service
    await service.keyring.provide(["contact/dora"])
    await service.streams.execute(PERSONS, "contact/dora", ErasePerson("contact/dora", "half way"))

    async def destroyed() -> bool:
        async with service.pool.connection() as connection:
            cursor = await connection.execute("SELECT wrapped FROM keyring.keys WHERE person = 'contact/dora'")
            return await cursor.fetchone() == (None,)

    assert await eventually(destroyed)


async def test_the_wrong_master_key_signs_nothing(settings: Settings) -> None:
    wrong = SecretStr(base64.b64encode(b"x" * 32).decode())
    service = create(settings.model_copy(update={"master_key": wrong}))
    transport = httpx.ASGITransport(service.http)
    async with service.running(), httpx.AsyncClient(transport=transport, base_url="http://identity") as client:
        refused = await client.post("/development/token", json={"role": "operator"})
        assert await code(refused, 500) == "internal_error"
