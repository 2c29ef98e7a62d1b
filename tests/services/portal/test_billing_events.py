"""Billing events over HTTP: of one contract and of all, what is overdue first, page by page."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest

from contracts.ids import stream
from tests.services.portal.conftest import Elsewhere, Users
from tests.services.portal.events import TODAY, billed, contract_created
from tests.services.portal.homes import get, move_in


async def test_billing_events_of_all_contracts(client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
    home, strangers = await move_in(elsewhere), await move_in(elsewhere)
    second = uuid.uuid4().hex
    await home.happens(
        (stream("contract", second), [contract_created(second, "V-2", home.contact_id)]),
        (
            stream("billing_event", home.contract_id),
            [
                billed(home.contract_id, "paid", TODAY - timedelta(days=5), paid_on=TODAY),
                billed(home.contract_id, "soon", TODAY + timedelta(days=5)),
            ],
        ),
        (stream("billing_event", second), [billed(second, "late", TODAY - timedelta(days=9))]),
        (
            stream("billing_event", strangers.contract_id),
            [billed(strangers.contract_id, "theirs", TODAY - timedelta(days=1))],
        ),
    )
    headers = users.customer(home.contact_id)

    async def listed(**parameters: Any) -> list[tuple[str, str, bool]]:
        found: list[tuple[str, str, bool]] = []
        cursor: dict[str, str] = {}
        for _ in range(4):
            page = await get(client, "/billing-events", headers, **parameters, **cursor)
            found += [(each["contract_number"], each["external_id"], each["overdue"]) for each in page["items"]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        return found

    late, soon, paid = ("V-2", "late", True), ("V-1", "soon", False), ("V-1", "paid", False)
    for limit in (1, 2, 50):
        assert await listed(limit=limit) == [late, soon, paid]
        assert await listed(limit=limit, status="open") == [late, soon]
        assert await listed(limit=limit, status="closed") == [paid]
    assert (await get(client, "/billing-events", users.customer(None)))["items"] == []
    no_contact = await client.get("/billing-events", headers=users.role("staff"))
    assert (no_contact.status_code, no_contact.json()["code"]) == (422, "invalid_for_staff")


async def test_billing_events_overdue_first_then_latest_due(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
) -> None:
    home = await move_in(elsewhere)
    days = {"a": -3, "b": -40, "c": 10, "d": -1, "e": 0, "f": -3}
    events = [
        billed(home.contract_id, name, TODAY + timedelta(days=shift), paid_on=TODAY if name == "d" else None)
        for name, shift in days.items()
    ]
    position = await elsewhere.say(
        stream("billing_event", home.contract_id),
        *events,
        billed(home.contract_id, "g", TODAY - timedelta(days=2), credit=True),
    )
    path = f"/contracts/{home.contract_id}/billing-events"
    headers = {**users.customer(home.contact_id), "Portico-Position": str(position)}
    whole = await get(client, path, headers)
    assert [(item["external_id"], item["overdue"]) for item in whole["items"]] == [
        ("f", True),
        ("a", True),
        ("b", True),
        ("c", False),
        ("e", False),
        ("d", False),
        ("g", False),
    ]
    assert whole["next"] is None
    for limit in (1, 2, 3, 6):
        seen: list[str] = []
        cursor: dict[str, str] = {}
        for _ in range(8):
            page = await get(client, path, headers, limit=limit, **cursor)
            seen += [item["external_id"] for item in page["items"]]
            if page["next"] is None:
                break
            assert len(page["items"]) == limit
            cursor = {"cursor": page["next"]}
        assert seen == list("fabcedg"), limit


@pytest.mark.parametrize(
    "cursor", ["x", "WzFd", "W10", "WyJhIiwiYiJd", "bnVsbA", "Ä", "WyJ4Iiwib3RoZXJzIiwiYSIsImIiXQ"]
)
async def test_a_cursor_that_we_did_not_write(
    client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users, cursor: str
) -> None:
    home = await move_in(elsewhere)
    path = f"/contracts/{home.contract_id}/billing-events"
    response = await client.get(path, headers=users.role("staff"), params={"cursor": cursor})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_cursor")
