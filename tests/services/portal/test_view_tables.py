"""The tables of the read models on PostgreSQL: read along an index, and written by two instances at once."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from chassis.errors import Conflict
from chassis.log import Connection
from chassis.testing import RunningService
from chassis.views import ViewHandler, ViewReader
from contracts.envelope import Envelope
from services.portal.pages.views import BILLING_EVENTS, CONTACTS, ContactDoc
from tests.services.portal.events import contact_created, contract_created, enveloped


async def test_a_page_of_billing_events_reads_no_more_than_it_shows(portal: RunningService) -> None:
    """The planner goes along the index and stops; it neither scans nor sorts what the page does not show."""
    table = BILLING_EVENTS.table
    async with portal.service.pool.connection() as connection, connection.transaction(force_rollback=True):
        await connection.execute(
            f"INSERT INTO {table} (key, doc) SELECT c || '/' || n, jsonb_build_object("  # noqa: S608 our own names
            "'contract_id', 'many' || c, 'status', CASE n % 3 WHEN 0 THEN 'open' ELSE 'closed' END, "
            "'direction', 'debit', 'due_on', (date '2026-11-10' - n)::text) "
            "FROM generate_series(1, 20) c, generate_series(1, 1000) n"
        )
        await connection.execute(f"ANALYZE {table}")
        for condition in ("{overdue}", "NOT {overdue}"):
            overdue = "(doc->>'status' = 'open' AND doc->>'direction' = 'debit' AND doc->>'due_on' < '2026-11-10')"
            where = f"doc->>'contract_id' = 'many7' AND {condition.format(overdue=overdue)}"
            cursor = await connection.execute(
                f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT doc FROM {table} WHERE {where} "  # noqa: S608 our own names
                "ORDER BY doc->>'due_on' DESC, key DESC LIMIT 21"
            )
            row = await cursor.fetchone()
            assert row is not None
            nodes = list(_nodes(row[0][0]["Plan"]))
            assert [node["Node Type"] for node in nodes] == ["Limit", "Index Scan"], nodes
            assert nodes[1]["Actual Rows"] + nodes[1].get("Rows Removed by Filter", 0) < 100


async def test_two_instances_that_make_the_same_document_lose_nothing(portal: RunningService) -> None:
    """A contact and his contract stand in different partitions: the second to write sees that it was not the first."""
    handler, contact_id = ViewHandler(CONTACTS), uuid.uuid4().hex
    own, contract = enveloped(contact_created(contact_id)), enveloped(contract_created("c", "V-1", contact_id))
    async with portal.service.pool.connection() as first, portal.service.pool.connection() as second:
        async with first.transaction():
            await handler.apply(first, [own])
            late = asyncio.create_task(_applied(handler, second, contract))
            await asyncio.wait([late], timeout=0.3)
            assert not late.done()
        with pytest.raises(Conflict):
            await late
        await _applied(handler, second, contract)
    document = await ViewReader(CONTACTS, portal.service.pool).get(contact_id)
    assert document is not None
    assert set(document.personal) == {contact_id, "c"}


async def _applied(handler: ViewHandler[ContactDoc], connection: Connection, envelope: Envelope) -> None:
    async with connection.transaction():
        await handler.apply(connection, [envelope])


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", ()) for node in _nodes(child))]
