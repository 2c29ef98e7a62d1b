"""Contracts as staff see them: with their money, as their customer does, and a cancellation that is decided."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.pages.customer_data import both, details, page, process
from tests.gateway.pages.staff_data import BEN, CONTRACT, INSTANCE, PLACE, PROCESS, links
from tests.gateway.world import Browser, World, soup, words

CANCELLATION = {
    "last": {
        "cancellation_id": "k-1",
        "status": "requested",
        "requested_on": "2026-11-20",
        "ends_on": "2026-12-31",
        "basis": "open_ended",
        "notice": "P1M",
        "reason": None,
        "decided_at": None,
    },
    "refusal": None,
}


async def test_the_list_names_holders_with_one_question(world: World, clerk: Browser) -> None:
    response = await clerk.get("/contracts?is-status=in_cancellation")
    for word in ("V-1003", "In Kündigung", "Erdgas Komfort", "Ben Krüger"):
        assert word in words(response)
    (asked,) = world.calls_to("GET", "entities", "/records/contact")
    assert asked.query["ids"] == BEN


async def test_a_contract_with_what_belongs_to_it(world: World, clerk: Browser) -> None:
    response = await clerk.get(PLACE)
    for word in ("Vertrag V-1003", "1 Monat", "Ben Krüger", "142,00", "Kündigung", "Maria Kern"):
        assert word in words(response).replace("\xa0", " ")
    assert {f"/contacts/{BEN}", PROCESS, f"/events/contract/{CONTRACT}"} <= links(response)


@pytest.mark.parametrize(
    ("amount_cents", "overdue_cents", "figures"),
    [
        (-2_150, 350, [("Guthaben", "21,50 €", "positive"), ("Überfällig", "3,50 €", "critical")]),
        (14_200, 0, [("Saldo", "142,00 €", "")]),
    ],
)
async def test_a_credit_is_no_alarm(
    world: World,
    clerk: Browser,
    amount_cents: int,
    overdue_cents: int,
    figures: list[tuple[str, str, str]],
) -> None:
    known = {**details()["balance"], "amount_cents": amount_cents, "overdue_cents": overdue_cents}
    world.answer("GET", "portal", f"/contracts/{CONTRACT}", details(balance=known))
    shown = soup(await clerk.get(PLACE)).select(".figure")[: len(figures)]
    said = [each.get_text(" ").replace("\xa0", " ").split(maxsplit=1) for each in shown]
    assert said == [[label, value] for label, value, _ in figures]
    for figure, (_, _, kind) in zip(shown, figures, strict=True):
        assert ("figure-critical" in figure["class"]) == (kind == "critical")


async def test_a_period_is_written_and_read_back_in_words(world: World, clerk: Browser) -> None:
    path = f"/records/contract/{CONTRACT}"
    world.answer("PATCH", "entities", path, {"id": CONTRACT, "effect": "updated", "version": 4})
    form = soup(await clerk.get(f"{PLACE}/edit"))
    assert form.select("input[name=v-notice][value='1 Monat']")
    await clerk.post(f"{PLACE}/edit", {"seen": "3", "v-notice": "1 Monat"})
    assert not world.calls_to("PATCH", "entities", path)
    await clerk.post(f"{PLACE}/edit", {"seen": "3", "v-notice": "6 Wochen"})
    assert world.calls_to("PATCH", "entities", path)[0].body == {"notice": "6 Wochen"}
    assert "Das legt die Abrechnung fest." in words(await clerk.get(f"{PLACE}/edit"))


async def test_money_that_cannot_be_shown_leaves_the_rest(world: World, clerk: Browser) -> None:
    world.refuse("GET", "portal", f"/contracts/{CONTRACT}", 403, "forbidden")
    assert (await clerk.get(PLACE)).status_code == 200
    world.away |= {"portal"}
    response = await clerk.get(PLACE)
    assert "Gerade nicht erreichbar" in words(response)
    assert "Erdgas Komfort" in words(response)


@pytest.mark.parametrize(("what", "body"), [("confirm", None), ("withdraw", {"reason": "bleibt"})])
async def test_a_cancellation_is_decided(world: World, clerk: Browser, what: str, body: Any) -> None:
    world.answer("GET", "portal", f"/contracts/{CONTRACT}", details(cancellation=CANCELLATION))
    assert soup(await clerk.get(PLACE)).select(f"input[name=what][value={what}]")
    path = f"/contracts/{CONTRACT}/cancellations/k-1/{what}"
    world.answer("POST", "billing", path, {})
    fields = {"what": what, "cancellation": "k-1", "reason": "bleibt"}
    assert (await clerk.post(f"{PLACE}/cancellation", fields)).headers["Location"] == PLACE
    assert world.calls_to("POST", "billing", path)[0].body == body
    assert (await clerk.post(f"{PLACE}/cancellation", {**fields, "what": "dance"})).status_code == 404


async def test_a_refused_decision_is_told(world: World, clerk: Browser) -> None:
    world.refuse("POST", "billing", f"/contracts/{CONTRACT}/cancellations/k-1/confirm", 409, "contract_ended")
    response = await clerk.post(f"{PLACE}/cancellation", {"what": "confirm", "cancellation": "k-1"})
    assert response.status_code == 409
    assert "Sentence of contract_ended." in words(response)


async def test_as_its_customer_sees_it(world: World, clerk: Browser) -> None:
    notice = {"name": "notice", "label": both("Frist", "Notice"), "type": "period", "text": None, "editable": True}
    group = {"id": "terms", "label": both("Laufzeit", "Term"), "attributes": [{**notice, "value": "P14D"}]}
    shown = details(processes=[process()], groups=[group])
    world.answer("GET", "portal", f"/contracts/{CONTRACT}", shown)
    response = await clerk.get(f"{PLACE}/portals/customers")
    asked = world.calls_to("GET", "portal", f"/contracts/{CONTRACT}")[0]
    assert (asked.query["portal_id"], asked.query["contact_id"]) == ("customers", BEN)
    for word in ("14 Tage", "Vom Kunden änderbar", "Vertrag kündigen", "Kündigung"):
        assert word in words(response)
    assert not soup(response).select("main form[method=post]")


async def test_all_billing_events(world: World, clerk: Browser) -> None:
    events = page(*details()["billing_events"], next="more")
    world.answer("GET", "portal", f"/contracts/{CONTRACT}/billing-events", events)
    response = await clerk.get(f"{PLACE}/billing-events")
    assert "142,00" in words(response)
    assert f"{PLACE}/billing-events?cursor=more" in links(response)


async def test_starting_a_process(world: World, clerk: Browser) -> None:
    world.answer("POST", "processes", "/instances", {"instance_id": INSTANCE}, 201)
    response = await clerk.post(f"{PLACE}/processes", {"process": "cancellation", "portal": ""})
    assert response.headers["Location"] == PROCESS
    (sent,) = world.calls_to("POST", "processes", "/instances")
    record = {"entity": "contract", "id": CONTRACT}
    assert sent.body == {"process": "cancellation", "record": record, "portal_id": None}


async def test_one_that_is_not_there(clerk: Browser) -> None:
    for path in ("", "/edit", "/delete", "/billing-events", "/portals/customers"):
        assert (await clerk.get(f"/contracts/nothing{path}")).status_code == 404
