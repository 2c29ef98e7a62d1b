"""What customers feel: a contract's page at a steady rate, and how soon a submitted journey is seen in the portal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from itertools import count
from typing import Any

import httpx
import psycopg

from bench.harness import Contender, Figure, Row, percentile
from bench.load import send
from bench.processes import authority, service
from bench.rows.requests import CUSTOMER, VISIBLE, built, contract_ids, lindenau, load, with_contracts, with_plans
from bench.scene import Scene, Site
from chassis.auth import Principal
from chassis.testing import eventually
from chassis.tickets import Ticket, Tickets
from contracts.journeys import RecordRef
from services.portal.pages.views import CONTRACTS, INSTALMENTS
from services.portal.requests.views import REQUESTS

PAGES_A_SECOND = 100
CUSTOMERS = 10_000
JOURNEY = "cancellation"
SUBMISSIONS_A_SECOND = 5
SUBMISSIONS = 25
STAFF = Principal("staff", "staff/bench")
STEPS: dict[str, dict[str, Any]] = {"reason": {"reason": "price"}, "date": {}, "proof": {}}
BUILT_SECONDS = 600.0


@asynccontextmanager
async def _page(scene: Scene) -> AsyncIterator[Sequence[Contender]]:
    contracts = max(CUSTOMERS, scene.sizes.streams) if scene.sizes.rounds > 1 else scene.sizes.streams
    with ExitStack() as stack:
        issuer = stack.enter_context(authority())
        site = await scene.site("page", issuer.url)
        await with_plans(site, contracts)
        portal = stack.enter_context(service(site, "portal", scene.folder))
        await built(site, "portal", CONTRACTS.table, contracts)
        await built(site, "portal", INSTALMENTS.table, contracts)

        async def once() -> Sequence[float]:
            changes: dict[str, object] = {"method": "GET", "path": "/contracts/{id}", "expected": 200, "body": ""}
            changes |= {"rate": PAGES_A_SECOND, "seconds": scene.sizes.latency_seconds, "warm_up_seconds": 0.0}
            get = load(scene, portal, issuer.headers(CUSTOMER), ids=contract_ids(0, contracts), **changes)
            answered = [latency * 1_000 for _, _, latency in (await send(get)).timed]
            return percentile(answered, 50), percentile(answered, 99)

        yield (Contender("Portico", once),)


@asynccontextmanager
async def _submit(scene: Scene) -> AsyncIterator[Sequence[Contender]]:
    submissions = SUBMISSIONS if scene.sizes.rounds > 1 else 2
    with ExitStack() as stack:
        issuer = stack.enter_context(authority())
        site = await scene.site("submit", issuer.url, objects_url=(scene.folder / "objects").as_uri())
        if not await _tracks_commits(site):
            yield (Contender("Portico", None, missing="the server does not track commit timestamps"),)
            return
        await with_contracts(site, submissions * scene.sizes.rounds)
        journeys = stack.enter_context(service(site, "journeys", scene.folder))
        stack.enter_context(service(site, "portal", scene.folder))
        await built(site, "portal", CONTRACTS.table, submissions * scene.sizes.rounds)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{journeys}", timeout=30) as client:
            await _publish(client, issuer.headers(STAFF))
            begin = partial(_begin, client, issuer.headers(CUSTOMER), Tickets(site.shared.master_key_bytes))
            turns = count(0, submissions)

            async def once() -> Sequence[float]:
                drafts = [await begin(id_) for id_ in contract_ids(next(turns), submissions)]
                started = time.time()
                sent = {draft: started + place / SUBMISSIONS_A_SECOND for place, draft in enumerate(drafts)}
                await asyncio.gather(*(_send(client, issuer.headers(CUSTOMER), *each) for each in sent.items()))
                visible = [seconds * 1_000 for seconds in await _visible(site, sent)]
                return percentile(visible, 50), percentile(visible, 99)

            yield (Contender("Portico", once),)


async def _tracks_commits(site: Site) -> bool:
    async with await psycopg.AsyncConnection.connect(site.admin_url, autocommit=True) as connection:
        row = await (await connection.execute("SHOW track_commit_timestamp")).fetchone()
    return row == ("on",)


async def _publish(client: httpx.AsyncClient, staff: dict[str, str]) -> None:
    (await client.put(f"/journeys/{JOURNEY}", json=lindenau("journey")[JOURNEY], headers=staff)).raise_for_status()


async def _begin(client: httpx.AsyncClient, customer: dict[str, str], tickets: Tickets, contract_id: str) -> str:
    """A submission with all its answers, ready to be sent; journeys may have to hear of the contract first."""
    record = RecordRef(entity="contract", id=contract_id)
    ticket = tickets.issue(
        Ticket(CUSTOMER.subject, CUSTOMER.portal_id or "", JOURNEY, CUSTOMER.contact_id, "cancel", record)
    )

    async def begun() -> str:
        answer = await client.post("/submissions", json={"ticket": ticket}, headers=customer)
        return str(answer.json()["submission_id"]) if answer.status_code == 201 else ""

    draft = await eventually(begun, BUILT_SECONDS)
    for step, answers in STEPS.items():
        answer = await client.put(f"/submissions/{draft}/steps/{step}", json={"answers": answers}, headers=customer)
        answer.raise_for_status()
    return draft


async def _send(client: httpx.AsyncClient, customer: dict[str, str], draft: str, due: float) -> None:
    await asyncio.sleep(max(0.0, due - time.time()))
    (await client.post(f"/submissions/{draft}/submit", headers=customer)).raise_for_status()


async def _visible(site: Site, sent: dict[str, float]) -> list[float]:
    """Seconds from when each was due to be sent until the portal's view had it."""
    query = VISIBLE.format(REQUESTS.table)
    async with await psycopg.AsyncConnection.connect(site.urls["portal"], autocommit=True) as connection:

        async def all_seen() -> list[tuple[str, float]]:
            rows = await (await connection.execute(query, (list(sent),))).fetchall()
            return rows if len(rows) == len(sent) else []

        return [at - sent[id_] for id_, at in await eventually(all_seen, BUILT_SECONDS)]


ROWS = (
    Row(
        "page",
        "A contract's page at a steady rate",
        f"{PAGES_A_SECOND} a second, {CUSTOMERS:,} contracts in the portal; timed from when each was due",
        (
            Figure("p50 answered", "ms", lower_is_better=True),
            Figure("p99 answered", "ms", lower_is_better=True, at_most=20),
        ),
        _page,
    ),
    Row(
        "submit",
        "Journey submitted to visible in the portal",
        f"{SUBMISSIONS_A_SECOND} a second, journeys and portal in processes of their own",
        (
            Figure("p50 visible", "ms", lower_is_better=True),
            Figure("p99 visible", "ms", lower_is_better=True, at_most=100),
        ),
        _submit,
    ),
)
