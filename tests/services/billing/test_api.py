"""A customer changes the instalment of his own contract inside the limits, and the ERP decides."""

import asyncio
from datetime import date
from typing import Any

import pytest

from chassis.auth import Principal
from chassis.testing import eventually
from contracts.billing import InstalmentChanged, InstalmentConfirmed, InstalmentPlanSet, InstalmentRefused
from contracts.common import Text
from contracts.erp import InstalmentDecision
from contracts.portal import InstalmentRules, InstalmentSettings, PortalConfigured
from tests.services.billing.conftest import DUES, World, bill, plan

STAFF = Principal("staff", "clerk-1")


@pytest.fixture
async def mine(world: World) -> tuple[str, str]:
    """A contract of contact-1 with a plan of 100 euros."""
    number, id_ = await world.contract(contact_id="contact-1")
    await world.send(plan(number))
    await world.taken_in()
    return number, id_


async def change(world: World, id_: str, amount_cents: Any, headers: dict[str, str] | None = None) -> Any:
    return await world.client.post(
        f"/contracts/{id_}/instalment-changes",
        json={"amount_cents": amount_cents},
        headers=headers or world.customer("contact-1"),
    )


async def preview(world: World, id_: str, query: str = "", **headers: str) -> Any:
    return await world.client.get(
        f"/contracts/{id_}/instalment-preview{query}", headers={**world.customer("contact-1"), **headers}
    )


async def test_a_change_is_asked_for_and_confirmed(world: World, mine: tuple[str, str]) -> None:
    number, id_ = mine
    answer = await change(world, id_, 9_000)
    assert answer.status_code == 202
    body = answer.json()
    change_id = body.pop("change_id")
    assert body == {
        "status": "requested",
        "contract_id": id_,
        "from_cents": 10_000,
        "amount_cents": 9_000,
        "currency": "EUR",
        "changed_on": "2026-03-10",
        "effective_from": DUES[0].isoformat(),
    }
    assert answer.headers["portico-position"].startswith("billing/")
    assert answer.headers["etag"] == '"2"'
    pending = (await preview(world, id_)).json()
    assert (pending["pending"]["change_id"], pending["refusal"]["code"]) == (change_id, "change_pending")
    for _ in range(2):
        await world.send(InstalmentDecision(contract=number, change_id=change_id, decision="confirmed"))
    await world.taken_in()
    *_, confirmed = await world.history(f"instalments/{id_}")
    assert isinstance(confirmed, InstalmentConfirmed)
    assert (confirmed.change_id, confirmed.amount_cents) == (change_id, 9_000)
    assert len(await world.history(f"instalments/{id_}")) == 3
    assert (await preview(world, id_)).json()["amount_cents"] == 9_000


async def test_a_change_that_the_erp_refuses(world: World, mine: tuple[str, str]) -> None:
    number, id_ = mine
    change_id = (await change(world, id_, 9_000)).json()["change_id"]
    refusal = InstalmentDecision(contract=number, change_id=change_id, decision="refused", reason="Zu niedrig")
    await world.client.post("/erp/instalment-decisions", json=refusal.model_dump(mode="json"), headers=world.erp)
    await world.taken_in()
    *_, refused = await world.history(f"instalments/{id_}")
    assert isinstance(refused, InstalmentRefused)
    assert (refused.reason, refused.current_cents) == ("Zu niedrig", 10_000)
    assert (await change(world, id_, 9_500)).status_code == 202


async def test_a_refusal_says_why_in_both_languages(world: World, mine: tuple[str, str]) -> None:
    _, id_ = mine
    answer = await change(world, id_, 30_000)
    assert (answer.status_code, answer.json()["code"]) == (409, "above_upper_limit")
    assert answer.json()["upper_limit_cents"] == 20_000
    assert "€200.00" in answer.json()["detail"]
    german = await change(world, id_, 30_000, {**world.customer("contact-1"), "Accept-Language": "de"})
    assert german.json()["detail"].startswith("Höchstens 200,00\xa0€ sind möglich.")


async def test_a_preview_says_what_would_be_answered(world: World, mine: tuple[str, str]) -> None:
    _, id_ = mine
    answer = await preview(world, id_, "?amount_cents=9000")
    assert answer.status_code == 200
    assert answer.json() == {
        "amount_cents": 10_000,
        "currency": "EUR",
        "lower_limit_cents": 8_000,
        "upper_limit_cents": 20_000,
        "possible_on": "2026-03-10",
        "effective_from": "2026-04-01",
        "refusal": None,
        "pending": None,
        "schedule": [{"due_on": due.isoformat(), "amount_cents": 9_000} for due in DUES],
    }
    low = (await preview(world, id_, "?amount_cents=7000", **{"Accept-Language": "de"})).json()
    assert low["refusal"]["code"] == "below_lower_limit"
    assert low["refusal"]["detail"].startswith("Mindestens 80,00\xa0€")
    assert low["refusal"]["facts"]["lower_limit_cents"] == 8_000


async def test_a_preview_without_a_plan(world: World) -> None:
    _, id_ = await world.contract(contact_id="contact-1")
    body = (await preview(world, id_)).json()
    assert (body["amount_cents"], body["refusal"]["code"], body["schedule"]) == (None, "no_instalment_plan", [])
    assert (await change(world, id_, 9_000)).json()["code"] == "no_instalment_plan"


async def test_none_while_a_payment_is_overdue(world: World, mine: tuple[str, str]) -> None:
    number, id_ = mine

    async def code() -> Any:
        return ((await preview(world, id_)).json()["refusal"] or {}).get("code")

    await world.send(bill(number, due_on=date(2026, 3, 10)))
    await world.send(bill(number, "B-2", due_on=date(2026, 3, 9), direction="credit"))
    await world.taken_in()
    assert await code() is None
    await world.send(bill(number, "B-3", due_on=date(2026, 3, 9)))

    async def overdue() -> bool:
        return bool(await code() == "payment_overdue")

    await eventually(overdue)
    assert (await change(world, id_, 9_000)).json()["code"] == "payment_overdue"
    await world.send(bill(number, "B-3", due_on=date(2026, 3, 9), status="closed", paid_on=date(2026, 3, 10)))

    async def paid() -> bool:
        return await code() is None

    await eventually(paid)


async def test_the_same_key_asks_only_once(world: World, mine: tuple[str, str]) -> None:
    _, id_ = mine
    headers = {**world.customer("contact-1"), "Idempotency-Key": f"once-{id_}"}
    first, second = await change(world, id_, 9_000, headers), await change(world, id_, 9_000, headers)
    assert first.status_code == second.status_code == 202
    assert first.json() == second.json()
    assert len(await world.history(f"instalments/{id_}")) == 2
    assert (await change(world, id_, 9_500, headers)).json()["code"] == "idempotency_key_reused"


async def test_a_change_of_another_version_is_not_made(world: World, mine: tuple[str, str]) -> None:
    _, id_ = mine
    headers = {**world.customer("contact-1"), "If-Match": '"7"'}
    assert (await change(world, id_, 9_000, headers)).status_code == 412


async def test_customer_and_erp_at_the_same_time(world: World, mine: tuple[str, str]) -> None:
    number, id_ = mine
    amounts = [10_100 + n for n in range(30)]
    asked = [asyncio.create_task(change(world, id_, 9_900 - n)) for n in range(10)]
    for amount in amounts:
        await world.send(plan(number, amount))
        asked.append(asyncio.create_task(change(world, id_, 9_900)))
    answers = [(await task).status_code for task in asked]
    await world.taken_in()
    history = await world.history(f"instalments/{id_}")
    assert [event.amount_cents for event in history if isinstance(event, InstalmentPlanSet)] == [10_000, *amounts]
    assert len([event for event in history if isinstance(event, InstalmentChanged)]) == answers.count(202) == 1
    assert set(answers) == {202, 409}


async def test_a_contract_of_somebody_else_does_not_exist(world: World, mine: tuple[str, str]) -> None:
    _, id_ = mine
    _, of_nobody = await world.contract()
    no_contact = world.as_(Principal("customer", "user-1"))
    for target, headers in [
        (id_, world.customer("contact-2")),
        (id_, no_contact),
        (of_nobody, no_contact),
        ("nowhere", world.customer("contact-1")),
        ("nowhere", world.as_(STAFF)),
    ]:
        answers = [
            await change(world, target, 9_000, headers),
            await world.client.get(f"/contracts/{target}/instalment-preview", headers=headers),
        ]
        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "not_found")] * 2
    for role in ("erp", "installer"):
        answer = await change(world, id_, 9_000, world.as_(Principal(role, "x", "contact-1")))
        assert answer.status_code == 403
    assert (await world.client.post(f"/contracts/{id_}/instalment-changes", json={})).status_code == 401


@pytest.mark.parametrize("clerk", [STAFF, Principal("operator", "clerk-2")])
async def test_staff_change_for_the_customer(world: World, mine: tuple[str, str], clerk: Principal) -> None:
    _, id_ = mine
    assert (await change(world, id_, 9_000, world.as_(clerk))).status_code == 202
    *_, changed = await world.service.streams.history(f"instalments/{id_}")
    assert changed.metadata.actor == clerk.subject


@pytest.mark.parametrize("amount", [-1, 1.5, "9000", None, True, 2**60, {"cents": 1}])
async def test_amounts_that_are_none(world: World, mine: tuple[str, str], amount: Any) -> None:
    assert (await change(world, mine[1], amount)).status_code == 422


async def test_a_portal_has_rules_of_its_own_by_contract_type(world: World, mine: tuple[str, str]) -> None:
    _, id_ = mine
    name = Text(de="Mein Lindenau", en="My Lindenau")

    async def lower_limit_with(rules: InstalmentSettings) -> None:
        await world.say(
            "portal/customers",
            PortalConfigured(
                portal_id="customers", audience="customer", name=name, url="https://example.org", instalments=rules
            ),
        )

    async def lower() -> Any:
        return (await preview(world, id_)).json()["lower_limit_cents"]

    for expected, rules in [
        (9_500, InstalmentSettings(by_contract_type={"electricity": InstalmentRules(down_percent=5)})),
        (7_000, InstalmentSettings(default=InstalmentRules(down_percent=30))),
        (8_000, InstalmentSettings()),
    ]:
        await lower_limit_with(rules)

        async def reached(expected: int = expected) -> bool:
            return bool(await lower() == expected)

        await eventually(reached)


async def test_the_api_describes_itself(world: World) -> None:
    document = (await world.client.get("/openapi.json")).json()
    paths = document["paths"]
    assert set(paths["/contracts/{contract_id}/instalment-changes"]["post"]["responses"]) >= {"202", "4XX"}
    body = paths["/erp/billing-events"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "BillingEvent" in str(body)
