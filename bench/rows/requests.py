"""Over HTTP: commands and reads beside FastAPI alone, and how soon a command is seen in another service's view."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from itertools import count
from typing import Any

import psycopg

from bench.harness import Contender, Figure, Measure, Row, percentile
from bench.load import Load, Report, send
from bench.processes import Authority, ask, authority, bare_fastapi, service
from bench.rows.topics import published
from bench.scene import Scene, Site
from bench.workload import KIND, Filling, contract, fill, id_of, number_of, plan
from chassis.auth import Principal
from chassis.testing import eventually
from cli.story.utility import documents
from contracts.entities import SchemaPublished
from contracts.ids import record_id
from services.billing.contracts.views import CONTRACTS as BILLING_CONTRACTS
from services.portal.configuration.document import PortalDocument
from services.portal.pages.views import CONTRACTS as PORTAL_CONTRACTS
from services.portal.pages.views import INSTALMENTS

CONNECTIONS = 64
CUSTOMER = Principal("customer", "user/bench", contact_id=id_of(0), portal_id="customers")
BODY = '{"amount_cents": 9600, "currency": "EUR"}'
PATH = "/contracts/{id}/instalment-changes"
HEADROOM = 4_000
"""No service of this design answers more commands a second on one core; as many contracts are prepared."""
SEEN_SECONDS = 60.0
ECHO = "bare FastAPI, pydantic echo"
BUILT_SECONDS = 600.0
VISIBLE = "SELECT key, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM {} WHERE key = ANY(%s)"


def load(scene: Scene, port: int, headers: Mapping[str, str], **changes: object) -> Load:
    """Changes of instalments, as many as are answered; `changes` are fields of a Load that differ."""
    values: dict[str, object] = {
        "port": port,
        "method": "POST",
        "path": PATH,
        "headers": {**headers, "Idempotency-Key": "{key}"},
        "expected": 202,
        "connections": CONNECTIONS,
        "seconds": scene.sizes.seconds,
        "warm_up_seconds": scene.sizes.seconds / 5,
        "body": BODY,
        **changes,
    }
    return Load(**values)  # type: ignore[arg-type]  # names and types are those above


def _rate(load: Load) -> Measure:
    async def once() -> Sequence[float]:
        return ((await send(load)).per_second,)

    return once


def lindenau(kind: str) -> dict[str, dict[str, Any]]:
    """The demo utility's documents of a kind, by their ids."""
    return {document.id: document.content for document in documents() if document.kind.name == kind}


async def configured(site: Site) -> None:
    """The portal and the schemas of the demo utility, in the logs of their owners and on their topics."""
    for id_, document in lindenau("portal").items():
        event = PortalDocument.model_validate(document).event()
        fill(site.urls["portal"], Filling("portal", event, 1, ids=[id_]))
    await published(site.settings("portal"), "portal")
    for entity, definition in lindenau("entity").items():
        schema = SchemaPublished(entity=entity, schema_version=1, definition=definition)
        fill(site.urls["entities"], Filling("schema", schema, 1, ids=[entity]))


async def with_contracts(site: Site, contracts: int) -> None:
    """Contracts of one customer in the log of entities and on its topic, and what the portal needs to show them."""
    await configured(site)
    fill(
        site.urls["entities"],
        Filling("contract", contract(CUSTOMER.contact_id or ""), contracts, ids=contract_ids(0, contracts)),
    )
    await published(site.settings("entities"), "entities")


async def with_plans(site: Site, contracts: int) -> None:
    """The same, and a plan for each in the log of billing and on its topic."""
    await with_contracts(site, contracts)
    fill(site.urls["billing"], Filling(KIND, plan(CUSTOMER.contact_id), contracts, ids=contract_ids(0, contracts)))
    await published(site.settings("billing"))


async def built(site: Site, name: str, table: str, documents: int) -> None:
    """Waits until a view has so many documents."""

    async def there() -> bool:
        return bool(ask(site.urls[name], f"SELECT count(*) FROM {table}") >= documents)  # noqa: S608 a view's name

    await eventually(there, BUILT_SECONDS)


def contract_ids(start: int, number: int) -> list[str]:
    """Of contracts, made of their numbers as the import makes them."""
    return [record_id("contract", number_of(n)) for n in range(start, start + number)]


@asynccontextmanager
async def _command(scene: Scene) -> AsyncIterator[Sequence[Contender]]:
    """The echo, the smallest command on the chassis, and billing's own with its three views and its rules.

    No stream gets a second command: a round that came later would have more to load.
    """
    sizes = scene.sizes
    a_round = int((sizes.seconds * 1.2) * HEADROOM / 2) + CONNECTIONS
    with ExitStack() as stack:
        issuer: Authority = stack.enter_context(authority())
        headers = issuer.headers(CUSTOMER)
        small, site = await scene.site("small", issuer.url), await scene.site("billing", issuer.url)
        await with_plans(site, a_round * sizes.rounds)
        echo = stack.enter_context(bare_fastapi(scene.folder))
        ours = stack.enter_context(service(small, "billing", scene.folder, (sys.executable, "-m", "bench.service")))
        billing = stack.enter_context(service(site, "billing", scene.folder))
        await built(site, "billing", BILLING_CONTRACTS.table, a_round * sizes.rounds)

        def commands(port: int, number: int) -> Measure:
            turns = count()

            async def once() -> Sequence[float]:
                ids = contract_ids(next(turns) * number, number)
                return ((await send(load(scene, port, headers, ids=ids, repeat_ids=False))).per_second,)

            return once

        yield (
            Contender("Portico, the smallest command", commands(ours, 2 * a_round)),
            Contender(ECHO, _rate(load(scene, echo, {}, ids=contract_ids(0, a_round))), 0.5),
            Contender("Portico, a change of an instalment beside the echo", commands(billing, a_round), beside=ECHO),
        )


@asynccontextmanager
async def _read(scene: Scene) -> AsyncIterator[Sequence[Contender]]:
    """The page of a contract: who may see it, contract, balance and instalments, with an ETag."""
    with ExitStack() as stack:
        issuer = stack.enter_context(authority())
        contracts = scene.sizes.streams
        site = await scene.site("read", issuer.url)
        await with_plans(site, contracts)
        portal = stack.enter_context(service(site, "portal", scene.folder))
        constant = stack.enter_context(bare_fastapi(scene.folder))
        await built(site, "portal", PORTAL_CONTRACTS.table, contracts)
        await built(site, "portal", INSTALMENTS.table, contracts)
        get: dict[str, object] = {"method": "GET", "expected": 200, "body": "", "ids": contract_ids(0, contracts)}
        page = load(scene, portal, issuer.headers(CUSTOMER), **get, path="/contracts/{id}")
        yield (
            Contender("Portico, a contract's page", _rate(page)),
            Contender("bare FastAPI, a constant", _rate(load(scene, constant, {}, **get, path="/constant")), 0.7),
        )


@asynccontextmanager
async def _latency(scene: Scene) -> AsyncIterator[Sequence[Contender]]:
    """billing answers commands on schedule in one process, the portal's view is kept by another."""
    sizes = scene.sizes
    a_round = int(sizes.rate * sizes.latency_seconds)
    warm_up = a_round // 4
    with ExitStack() as stack:
        issuer = stack.enter_context(authority())
        site = await scene.site("latency", issuer.url)
        contracts = (a_round + warm_up) * sizes.rounds
        await with_plans(site, contracts)
        if ask(site.admin_url, "SHOW track_commit_timestamp") != "on":
            yield (Contender("Portico", None, missing="the server does not track commit timestamps"),)
            return
        billing = stack.enter_context(service(site, "billing", scene.folder))
        stack.enter_context(service(site, "portal", scene.folder))
        await built(site, "billing", BILLING_CONTRACTS.table, contracts)
        await built(site, "portal", INSTALMENTS.table, contracts)
        turns = count()

        async def once() -> Sequence[float]:
            start = next(turns) * (a_round + warm_up)
            paced = {"rate": sizes.rate, "repeat_ids": False, "warm_up_seconds": 0.0}
            headers = issuer.headers(CUSTOMER)
            for first, number in ((start, warm_up), (start + warm_up, a_round)):
                seconds = number / sizes.rate
                changes = load(scene, billing, headers, **paced, ids=contract_ids(first, number), seconds=seconds)
                report = await send(changes)
            visible = await _visible(site, report)
            answered = [latency for _, _, latency in report.timed]
            return [percentile(s, p) * 1_000 for s in (visible, answered) for p in (50, 99)]

        yield (Contender("Portico", once),)


async def _visible(site: Site, report: Report) -> list[float]:
    """Seconds from when each command was due until the portal's view had it, by the database's commit timestamps."""
    due = {id_: at for id_, at, _ in report.timed}
    query = VISIBLE.format(INSTALMENTS.table) + " AND doc->>'pending' IS NOT NULL"
    async with await psycopg.AsyncConnection.connect(site.urls["portal"], autocommit=True) as connection:

        async def all_seen() -> list[tuple[str, float]]:
            rows = await (await connection.execute(query, (list(due),))).fetchall()
            return rows if len(rows) == len(due) else []

        return [at - due[id_] for id_, at in await eventually(all_seen, SEEN_SECONDS)]


ROWS = (
    Row(
        "http",
        "HTTP command, authenticated, idempotent, durable",
        f"{CONNECTIONS} connections, one process each, the load from another; each command on another stream",
        (Figure("answers", "1/s"),),
        _command,
    ),
    Row(
        "read",
        "Read-model GET",
        f"{CONNECTIONS} connections; the page of a contract with balance and instalments",
        (Figure("answers", "1/s"),),
        _read,
    ),
    Row(
        "latency",
        "Command to visible in the portal's view",
        "billing and portal in processes of their own, commands on schedule, timed from when they were due",
        (
            Figure("p50 visible", "ms", lower_is_better=True, at_most=15),
            Figure("p99 visible", "ms", lower_is_better=True, at_most=60),
            Figure("p50 answered", "ms", lower_is_better=True),
            Figure("p99 answered", "ms", lower_is_better=True),
        ),
        _latency,
    ),
)
