"""Every endpoint with every kind of caller: nobody gets what is another's, and nothing breaks.

The endpoints come from the applications themselves, so that a new one is asked for from its first day on. Whoever adds
an endpoint for everybody names it in PUBLIC.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from chassis.auth import ROLES
from cli.stack.state import Record
from contracts.topics import SERVICES
from tests.access.endpoints import Endpoint, endpoints
from tests.access.samples import Samples
from tests.access.world import World, make_world

PUBLIC = {
    *(f"{service} GET {path}" for service in SERVICES for path in ("/health/live", "/health/ready", "/metrics")),
    "identity GET /.well-known/jwks.json",
    "identity POST /token",
    "identity POST /development/token",
}
"""Keys for everybody, tokens for machines that show their secret, and, in development only, tokens for developers."""

AT_ONCE = 6
UNSEEN = "0dd0dd"
FOREIGN = {403, 404, 422}
"""What a customer is answered who asks for another's; 422 where already the form of his request is wrong."""


@dataclass(frozen=True)
class Answered:
    """What an endpoint answered whom."""

    endpoint: Endpoint
    caller: str
    answer: httpx.Response

    def __str__(self) -> str:
        return f"{self.endpoint.name} as {self.caller}: {self.answer.status_code} {self.answer.text[:300]}"


@pytest.fixture(scope="module")
def all_endpoints() -> list[Endpoint]:
    return endpoints()


@pytest.fixture(scope="module")
async def world(stack: Record) -> World:
    return await make_world(stack)


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30) as client:
        yield client


def test_public_endpoints_are_exactly_these(all_endpoints: list[Endpoint]) -> None:
    assert {endpoint.name for endpoint in all_endpoints if endpoint.roles is None} == PUBLIC


def test_every_role_that_is_asked_for_exists(all_endpoints: list[Endpoint]) -> None:
    assert len(all_endpoints) > 100
    assert all(endpoint.roles <= set(ROLES) for endpoint in all_endpoints if endpoint.roles)


def test_operators_may_do_all_that_staff_may(all_endpoints: list[Endpoint]) -> None:
    closed = [endpoint for endpoint in all_endpoints if endpoint.roles and "staff" in endpoint.roles]
    assert [endpoint.name for endpoint in closed if "operator" not in (endpoint.roles or ())] == []
    assert len(closed) > 50


@pytest.mark.slow
async def test_nobody_comes_in_without_a_token(
    all_endpoints: list[Endpoint], world: World, http: httpx.AsyncClient
) -> None:
    closed = [endpoint for endpoint in all_endpoints if endpoint.roles is not None]
    found = await answers(http, world, ((endpoint, "anonymous") for endpoint in closed), world.hers)
    assert [str(each) for each in found if each.answer.status_code != 401] == []


@pytest.mark.slow
async def test_roles_come_in_only_where_they_are_named(
    all_endpoints: list[Endpoint], world: World, http: httpx.AsyncClient
) -> None:
    closed = [endpoint for endpoint in all_endpoints if endpoint.roles is not None]
    wrong = [(endpoint, role) for endpoint in closed for role in ROLES if role not in (endpoint.roles or ())]
    found = await answers(http, world, wrong, world.hers)
    mistakes = [each for each in found if each.answer.status_code != (403 if each.endpoint.roles else 401)]
    assert [str(each) for each in mistakes] == []


@pytest.mark.slow
async def test_a_customer_gets_nothing_of_another_one(
    all_endpoints: list[Endpoint], world: World, http: httpx.AsyncClient
) -> None:
    open_to_customers = [endpoint for endpoint in all_endpoints if endpoint.roles and "customer" in endpoint.roles]
    found = await answers(http, world, ((endpoint, "customer") for endpoint in open_to_customers), world.hers)
    unknown = await answers(http, world, ((endpoint, "customer") for endpoint in open_to_customers), unknown_ids(world))
    mistakes = [f"{each} tells {mark}" for each in found for mark in world.marks if tells(each, mark)]
    for hers, nobodys in zip(found, unknown, strict=True):
        if names_hers(hers.endpoint):
            mistakes += [str(hers)] if hers.answer.status_code not in FOREIGN else []
            alike = (hers.answer.status_code, code(hers)) == (nobodys.answer.status_code, code(nobodys))
            mistakes += [] if alike else [f"{hers}\n  is not like {nobodys}"]
        elif hers.answer.status_code >= 500:
            mistakes.append(str(hers))
    assert mistakes == []
    assert len([each for each in found if names_hers(each.endpoint)]) > 10


@pytest.mark.slow
async def test_she_herself_gets_it(all_endpoints: list[Endpoint], world: World, http: httpx.AsyncClient) -> None:
    """Otherwise the test above would prove nothing: staff read her data at the same addresses."""
    reads = [each for each in all_endpoints if each.method == "GET" and each.roles and "staff" in each.roles]
    found = await answers(http, world, ((endpoint, "staff") for endpoint in reads), world.hers)
    told = {mark for each in found for mark in world.marks if tells(each, mark)}
    assert told == world.marks


@pytest.mark.slow
async def test_nothing_breaks_whoever_asks(
    all_endpoints: list[Endpoint], world: World, http: httpx.AsyncClient
) -> None:
    """Whoever may come in, with ids that nobody has, so that nothing is changed that others rely on."""
    asked = [(each, caller) for each in all_endpoints for caller in sorted(each.roles or ("anonymous",))]
    found = await answers(http, world, asked, unknown_ids(world))
    assert [str(each) for each in found if each.answer.status_code >= 500] == []


async def answers(
    http: httpx.AsyncClient, world: World, asked: Iterable[tuple[Endpoint, str]], given: dict[str, dict[str, str]]
) -> list[Answered]:
    """Asks a few at a time; the answers are in the order of the questions."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def ask(endpoint: Endpoint, caller: str) -> Answered:
        async with limit:
            return Answered(endpoint, caller, await http.send(request(http, world, endpoint, caller, given)))

    return list(await asyncio.gather(*(ask(endpoint, caller) for endpoint, caller in asked)))


def request(
    http: httpx.AsyncClient, world: World, endpoint: Endpoint, caller: str, given: dict[str, dict[str, str]]
) -> httpx.Request:
    """A plausible request to an endpoint that names the ids that are given."""
    samples = Samples(endpoint.components, {**given["*"], **given.get(endpoint.service, {})})
    path = endpoint.path
    for name, value in samples.parameters(endpoint.operation, "path").items():
        path = path.replace(f"{{{name}}}", value.replace("/", "%2F"))
    content: dict[str, Any] = {}
    if body := samples.body(endpoint.operation):
        content = _content(*body)
    headers = {"Authorization": f"Bearer {world.tokens[caller]}"} if caller in world.tokens else {}
    headers |= content.pop("headers", {})
    return http.build_request(
        endpoint.method,
        world.services[endpoint.service] + path,
        params=samples.parameters(endpoint.operation, "query"),
        headers=headers,
        **content,
    )


def _content(media_type: str, value: Any) -> dict[str, Any]:
    if media_type == "application/json":
        return {"json": value}
    if media_type == "multipart/form-data":
        return {"data": {"field": "proof", "upload_id": "upload-1"}, "files": {"file": ("a.pdf", b"%PDF-1.4")}}
    if media_type == "application/x-www-form-urlencoded":
        return {"data": value}
    return {"content": b"number;holder\nV-1;K-1\n", "headers": {"Content-Type": media_type}}


def unknown_ids(world: World) -> dict[str, dict[str, str]]:
    """Ids of the same form that nobody has."""
    kept = {"entity", "action", "step_id"}
    return {
        service: {name: value if name in kept else f"{value[:-6]}{UNSEEN}" for name, value in ids.items()}
        for service, ids in world.hers.items()
    }


def tells(each: Answered, mark: str) -> bool:
    """Whether an answer says something that was not in the question."""
    return mark in each.answer.text and mark not in str(each.answer.request.url)


def names_hers(endpoint: Endpoint) -> bool:
    """Whether its path names something that is hers, and not what is for everybody in the portal."""
    shared = {"portal_id", "journey_id", "process_id", "entity", "step_id", "template", "language", "token", "relation"}
    return bool(set(re.findall(r"{(\w+)}", endpoint.path)) - shared)


def code(each: Answered) -> str | None:
    try:
        body = each.answer.json()
    except ValueError:
        return None
    return body.get("code") if isinstance(body, dict) else None
