"""12: nobody can read an erased person in a log, a topic or a view any more, and history still verifies."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner, Result

from chassis.testing import eventually
from cli.audit.history import raw_records
from cli.events.place import Place
from cli.events.reading import open_reader
from cli.main import app
from cli.stack.state import Record
from cli.story.papers import Papers
from cli.token import development_token
from contracts.ids import record_id
from contracts.topics import TOPICS
from tests.guarantees.plan import Plan

SECONDS = 60.0
PORTAL = {
    "portal": "erasure",
    "audience": "customer",
    "name": {"de": "Portal", "en": "Portal"},
    "url": "https://portal.example",
    "instalments": {"down_percent": 50, "up_percent": 100, "minimum_cents": 1000, "days_before_due": 10},
}
TABLES = """
SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Person:
    """A customer whose every personal value can be told from all others."""

    number: str = field(default_factory=lambda: f"K-{uuid.uuid4().hex[:8]}")
    mark: str = field(default_factory=lambda: f"Q{uuid.uuid4().hex[:8]}")

    @property
    def id(self) -> str:
        return record_id("contact", self.number)

    @property
    def contract(self) -> str:
        return self.number.replace("K-", "V-")

    @property
    def contract_id(self) -> str:
        return record_id("contract", self.contract)

    @property
    def contact(self) -> dict[str, str]:
        names = ("first_name", "last_name", "street", "city")
        return {
            "salutation": "ms",
            "language": "de",
            "email": f"{self.mark}.mail@example.org".lower(),
            **{name: f"{self.mark}-{name}" for name in names},
        }


@dataclass(frozen=True)
class Stack:
    """A running Portico, seen from outside."""

    record: Record
    http: httpx.AsyncClient

    async def ask(self, role: str, method: str, service: str, path: str, **more: Any) -> httpx.Response:
        claims = {"contact": more.pop("contact", None), "portal": more.pop("portal", None)}
        token = development_token(self.record.services["identity"], role, **claims)
        headers = {"Authorization": f"Bearer {token}"}
        answer = await self.http.request(method, self.record.services[service] + path, headers=headers, **more)
        assert answer.status_code < 300, answer.text
        return answer

    async def mails_to(self, address: str) -> list[Any]:
        answer = await self.http.get(f"{self.record.mailbox_url}/api/messages", params={"to": address})
        return list(answer.json())

    async def portico(self, *arguments: str) -> Result:
        """The command, told by the environment where everything is."""
        told = {
            "PORTICO_DATABASE_URL": self.record.database_url,
            "PORTICO_KAFKA_SERVERS": self.record.kafka_servers,
            "PORTICO_IDENTITY_URL": self.record.services["identity"],
            "PORTICO_TOKEN": development_token(self.record.services["identity"], "operator"),
        }
        return await asyncio.to_thread(CliRunner().invoke, app, arguments, env=told)


@pytest.fixture
async def running(stack: Record) -> AsyncIterator[Stack]:
    async with httpx.AsyncClient(timeout=30) as http:
        yield Stack(stack, http)


async def live(running: Stack, person: Person) -> None:
    """Leaves traces of a person everywhere: record, contract, portal pages, an instalment change and its mail."""
    await running.ask("operator", "PUT", "portal", "/portals/erasure", json=PORTAL)
    await running.ask("staff", "PUT", "entities", f"/records/contact/{person.number}", json=person.contact)
    contract = {
        "status": "active",
        "division": "electricity",
        "product": "Strom",
        "holder": person.number,
        "delivery_street": f"{person.mark}-delivery",
    }
    await running.ask("staff", "PUT", "entities", f"/records/contract/{person.contract}", json=contract)
    papers = Papers.of(person.contract, datetime.now(UTC).date())
    plan = {"contract": person.contract, **papers.plan()}
    await running.ask("erp", "POST", "billing", "/erp/instalment-plans", json=plan)
    as_customer = {"contact": person.id, "portal": "erasure"}

    async def has_plan() -> bool:
        page = await page_of(running, person)
        return bool(page and page["instalments"] and page["instalments"]["plan"] and page["delivery"])

    await eventually(has_plan, SECONDS)
    change = {"amount_cents": papers.plan()["amount_cents"] - 1_000}
    path = f"/contracts/{person.contract_id}/instalment-changes"
    await running.ask("customer", "POST", "billing", path, json=change, **as_customer)

    async def mailed() -> bool:
        return bool(await running.mails_to(person.contact["email"]))

    await eventually(mailed, SECONDS)


async def page_of(running: Stack, person: Person) -> dict[str, Any] | None:
    token = development_token(running.record.services["identity"], "staff")
    url = f"{running.record.services['portal']}/contracts/{person.contract_id}"
    answer = await running.http.get(url, headers={"Authorization": f"Bearer {token}"})
    return answer.json() if answer.status_code == 200 else None


def tables_with(record: Record, text: str) -> set[str]:
    """Every table of every service in which a text stands, be it as text or as bytes."""
    found = set()
    with psycopg.connect(record.database_url, autocommit=True) as admin:
        for schema, table in admin.execute(TABLES).fetchall():
            statement = sql.SQL("SELECT count(*) FROM {} t WHERE lower(t::text) LIKE ANY(%s)")
            wanted = [f"%{text.lower()}%", f"%{text.encode().hex()}%", f"%{text.lower().encode().hex()}%"]
            row = admin.execute(statement.format(sql.Identifier(schema, table)), (wanted,)).fetchone()
            if row and row[0]:
                found.add(f"{schema}.{table}")
    return found


async def topics_with(record: Record, text: str) -> tuple[int, set[str]]:
    """How many records there are on all topics, and on which a text stands."""
    place, count, found = Place(record.kafka_servers, "portico"), 0, set()
    async with open_reader(place, [topic.name for topic in TOPICS]) as reader:
        async for records in raw_records(reader, await reader.beginnings(), await reader.ends()):
            count += len(records)
            for one in records:
                whole = b"".join((one.key or b"", one.value or b"", *(value for _, value in one.headers)))
                if text.lower().encode() in whole.lower():
                    found.add(one.topic)
    return count, found


def boxes_of(record: Record, person: str) -> list[dict[str, str]]:
    """Everything that is sealed for a person in any log."""
    boxes = []
    with psycopg.connect(record.database_url, autocommit=True) as admin:
        for service in record.services:
            statement = sql.SQL(
                "SELECT DISTINCT box FROM {}, jsonb_path_query(data, '$.*') AS box WHERE box->>'sealed' = %s"
            ).format(sql.Identifier(service, "readable_events"))
            boxes += [row[0] for row in admin.execute(statement, (person,))]
    return [box for box in boxes if box["box"]]


async def revealed(running: Stack, boxes: list[dict[str, str]]) -> list[Any]:
    wanted = {"boxes": boxes, "reason": "a test of erasing"}
    values: list[Any] = (await running.ask("operator", "POST", "identity", "/reveal", json=wanted)).json()["values"]
    return values


@pytest.mark.slow
async def test_an_erased_person_cannot_be_read_anywhere(running: Stack, plan: Plan) -> None:
    person, record = Person(), running.record
    await live(running, person)
    name = f"contact/{person.id}"
    shown_in = tables_with(record, person.mark)
    assert {schema.partition(".")[0] for schema in shown_in} >= {"entities", "portal", "notifications"}
    boxes = boxes_of(record, name)
    assert person.mark in json.dumps(await revealed(running, boxes))
    assert (await topics_with(record, person.mark))[1] == set()

    erased = await running.portico("erase", name, "--reason", "asked for it")
    assert (erased.exit_code, erased.stdout.split(".")[0]) == (0, f"{name} is erased"), erased.stderr

    async def forgotten() -> bool:
        return not tables_with(record, person.mark)

    await eventually(forgotten, SECONDS)
    assert await revealed(running, boxes) == [None] * len(boxes)
    records, topics = await topics_with(record, person.mark)
    assert topics == set()
    page = await page_of(running, person)
    assert page
    assert page["delivery"] is None
    assert person.mark not in json.dumps(page)
    me = (await running.ask("customer", "GET", "portal", "/me", contact=person.id, portal="erasure")).json()
    assert me["contact"]["erased"]

    again = await running.portico("erase", person.number, "--reason", "asked for it")
    assert "was erased already" in again.stdout
    verified = await running.portico("audit", "verify", "--json")
    report = json.loads(verified.stdout)
    assert (verified.exit_code, report["ok"]) == (0, True), verified.stdout
    shards = report["shards"]
    assert all(shard["sealed_to"] == shard["anchored_to"] for shard in shards)
    plan.tell(
        tables_that_forgot=len(shown_in),
        boxes_closed=len(boxes),
        records_searched=records,
        events_verified=sum(shard["events"] for shard in shards),
    )
