"""The history of a record out of several services, a company with its people, and relations that are chosen."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.ids import billing_event_id
from tests.gateway.pages.customer_data import page
from tests.gateway.pages.staff_data import (
    BEN,
    COMPANY,
    CONTRACT,
    DORA,
    INSTANCE,
    MARIA,
    ben,
    dora,
    happened,
)
from tests.gateway.world import STAFF, Browser, Call, World, member, soup, visiting, words

EVENTS = f"/events/contract/{CONTRACT}"
RELATION = f"/contacts/{BEN}/relations/company"
API_RELATION = f"/records/contact/{BEN}/relations/company"


def titles(response: Any) -> list[str]:
    return [" ".join(each.get_text(" ").split()).replace("\xa0", " ") for each in soup(response).select(".event-title")]


def streams(call: Call) -> list[str]:
    return call.all("stream")


def eventful(world: World) -> None:
    """Ben's contract: a plan, a wish of Maria's as Ben, a step of the cancellation, and a change of the record."""
    plan = happened(
        "billing",
        "InstalmentPlanSet",
        "2026-11-20T08:10:00Z",
        amount_cents=8_500,
        currency="EUR",
        valid_from="2026-12-01",
    )
    wish = happened(
        "billing",
        "InstalmentChanged",
        "2026-11-24T08:30:00.5Z",
        amount_cents=9_900,
        from_cents=8_500,
        currency="EUR",
        effective_from="2027-01-01",
    )
    wish |= {"actor": f"staff/{MARIA}", "acted_as": f"user/{DORA}"}
    step = happened("processes", "StepActivated", "2026-11-23T08:20:00Z", instance_id=INSTANCE, step_id="confirm")
    world.answer("GET", "billing", "/history", page(wish, plan))
    world.answer("GET", "processes", "/history", page(step))


class TestOfAContract:
    async def test_all_services_tell_it_together_the_newest_first(self, world: World, clerk: Browser) -> None:
        eventful(world)
        response = await clerk.get(EVENTS)
        assert titles(response) == [
            "Neuer Abschlag gewünscht: 99,00 € statt 85,00 € ab 01.01.2027",
            "An der Reihe: Kündigung wird bestätigt",
            "Geändert",
            "Abschlagsplan aus der Abrechnung: 85,00 € ab 01.12.2026",
        ]
        assert "Maria Kern als Dora Maria Fuchs" in words(response)
        assert not soup(response).select(".pagination a")

    async def test_its_streams_are_asked_for_by_name(self, world: World, clerk: Browser) -> None:
        world.answer(
            "GET",
            "portal",
            f"/contracts/{CONTRACT}/billing-events",
            page({"external_id": "R-1"}, {"external_id": "R-2"}),
        )
        await clerk.get(EVENTS)
        (billing,) = world.calls_to("GET", "billing", "/history")
        bills = [f"billing_event/{billing_event_id(CONTRACT, each)}" for each in ("R-1", "R-2")]
        assert streams(billing) == [f"instalments/{CONTRACT}", f"cancellation/{CONTRACT}", *bills]
        (processes,) = world.calls_to("GET", "processes", "/history")
        assert streams(processes) == [f"process/{INSTANCE}"]

    async def test_each_service_goes_on_where_it_stopped(self, world: World, clerk: Browser) -> None:
        many = [
            happened("billing", "BillingEventRecorded", f"2026-11-23T08:{minute:02}:00Z", external_id=f"R-{minute}")
            for minute in range(59, -1, -1)
        ]
        world.answer("GET", "billing", "/history", page(*many[:50], next="billing/1:10"))
        first = await clerk.get(EVENTS)
        assert len(titles(first)) == 50
        following = soup(first).select_one(".pagination a")
        assert following is not None
        world.answer("GET", "billing", "/history", page(*many[50:]))
        second = await clerk.get(str(following["href"]))
        assert (len(titles(second)), titles(second)[-1]) == (11, "Geändert")
        assert world.calls_to("GET", "billing", "/history")[-1].query["before"] == "billing/1:10"
        assert "before" not in world.calls_to("GET", "entities", f"/records/contract/{CONTRACT}/history")[-1].query
        assert len(world.calls_to("GET", "processes", "/history")) == 1

    async def test_an_event_without_a_text_is_called_by_its_name(self, world: World, clerk: Browser) -> None:
        box = {"sealed": f"contact/{BEN}", "box": "c2VjcmV0"}
        new = happened("billing", "PaymentMethodAdded", "2026-11-23T08:00:00Z", iban=box, tags=[box, "<b>"])
        world.answer("GET", "billing", "/history", page(new))
        response = await clerk.get(EVENTS)
        assert titles(response)[0] == "Payment method added"
        data = soup(response).select_one(".event .code")
        assert data is not None
        assert "versiegelt" in data.get_text()
        assert "<b>" in data.get_text()
        assert "c2VjcmV0" not in response.text

    async def test_what_is_called_like_a_day_need_not_be_one(self, world: World, clerk: Browser) -> None:
        known = {"instance_id": INSTANCE, "step_id": "check", "done_on": "confirm", "due_on": None}
        world.answer(
            "GET", "processes", "/history", page(happened("processes", "TaskAssigned", "2026-11-23T08:00:00Z", **known))
        )
        assert titles(await clerk.get(EVENTS))[0] == "Aufgabe vergeben: Angaben prüfen"

    @pytest.mark.parametrize("away", ["billing", "processes", "portal"])
    async def test_a_service_that_is_away_leaves_the_rest(self, world: World, clerk: Browser, away: str) -> None:
        eventful(world)
        world.away |= {away}
        response = await clerk.get(EVENTS)
        assert response.status_code == 200
        assert "Ein Teil des Verlaufs" in words(response)
        assert "Geändert" in titles(response)

    async def test_what_somebody_may_not_see_is_left_out(self, world: World, clerk: Browser) -> None:
        eventful(world)
        world.refuse("GET", "billing", "/history", 403, "forbidden")
        response = await clerk.get(EVENTS)
        assert titles(response) == ["An der Reihe: Kündigung wird bestätigt", "Geändert"]
        assert "Ein Teil des Verlaufs" not in words(response)

    async def test_a_credit_has_the_sign_that_customers_see(self, world: World, clerk: Browser) -> None:
        facts = {"kind": "bonus", "direction": "credit", "amount_cents": 2_500, "currency": "EUR", "status": "open"}
        bonus = happened("billing", "BillingEventRecorded", "2026-11-23T08:00:00Z", **facts, due_on="2027-01-15")
        world.answer("GET", "billing", "/history", page(bonus))
        assert titles(await clerk.get(EVENTS))[0] == "Bonus: +25,00 €, fällig am 15.01.2027 (Offen)"


class TestOfPeople:
    async def test_a_contact_with_its_portal_users(self, world: World, clerk: Browser) -> None:
        assigned = happened("identity", "UserAssigned", "2026-11-23T08:00:00Z", contact_id=BEN, by="email")
        world.answer("GET", "identity", "/history", page(assigned))
        response = await clerk.get(f"/events/contact/{BEN}")
        assert titles(response) == ["Dem Kontakt zugeordnet durch die E-Mail-Adresse", "Geändert"]
        (asked,) = world.calls_to("GET", "identity", "/history")
        assert streams(asked) == [f"persons/contact/{BEN}", f"users/{DORA}"]
        assert world.calls_to("GET", "identity", "/users")[0].query["contact_id"] == BEN

    async def test_a_user(self, world: World, clerk: Browser) -> None:
        blocked = happened("identity", "UserBlocked", "2026-11-23T08:00:00Z", reason="Verdacht")
        world.answer("GET", "identity", "/history", page({**blocked, "actor": f"staff/{MARIA}"}))
        for address in (f"/users/{DORA}", f"/events/user/{DORA}"):
            response = await clerk.get(address)
            assert titles(response) == ["Gesperrt: Verdacht"]
            assert "Maria Kern" in words(response)
        assert streams(world.calls_to("GET", "identity", "/history")[0]) == [f"users/{DORA}"]
        assert soup(response).select(f"a[href='/users/{DORA}']")
        assert (await clerk.get("/events/user/nobody")).status_code == 404

    async def test_what_users_do_themselves_was_done_in_the_portal(self, world: World, clerk: Browser) -> None:
        told = [
            {**happened("identity", name, f"2026-11-23T08:0{minute}:00Z", **data), "actor": "machine/m-1"}
            for minute, (name, data) in enumerate(
                [("UserSignedIn", {}), ("UserBlocked", {"reason": "x"}), ("UserRegistered", {"invited": True})]
            )
        ]
        world.answer("GET", "identity", "/history", page(*reversed(told)))
        response = await clerk.get(f"/events/user/{DORA}")
        who = [each.get_text().rpartition("· ")[2] for each in soup(response).select(".event-when")]
        assert titles(response) == ["Als Portalnutzer eingeladen", "Gesperrt: x", "Angemeldet"]
        assert who == ["Angebundenes System", "Angebundenes System", "Im Portal"]

    async def test_in_english(self, world: World, clerk: Browser) -> None:
        expiry = happened("identity", "AccessExpirySet", "2026-11-23T08:00:00Z", expires_at=None)
        world.answer("GET", "identity", "/history", page(expiry))
        world.answer("GET", "identity", f"/users/{DORA}", dora())
        async with visiting(world, STAFF, member(language="en")) as browser:
            assert titles(await browser.get(f"/users/{DORA}")) == ["Access ends: –"]


class TestCompanies:
    async def test_the_list_and_a_company_with_its_people(self, world: World, clerk: Browser) -> None:
        listed = words(await clerk.get("/companies"))
        for word in ("F-3001", "Elektro Wendt GmbH", "Lindenau"):
            assert word in listed
        response = await clerk.get(f"/companies/{COMPANY}")
        assert world.calls_to("GET", "entities", "/records/contact")[-1].query["where"] == f"company:{COMPANY}"
        for word in ("Elektro Wendt GmbH", "Kontakte der Firma", "Ben Krüger"):
            assert word in words(response)
        assert soup(response).select(f"a[href='/contacts/{BEN}']")

    async def test_people_of_whom_no_schema_says_where_they_work(self, world: World, clerk: Browser) -> None:
        schema = {**world.answers["GET", "entities", "/schemas/contact"].json(), "relations": {}}  # type: ignore[union-attr]
        world.answer("GET", "entities", "/schemas/contact", schema)
        response = await clerk.get(f"/companies/{COMPANY}")
        assert "gehört noch niemand" in words(response)

    async def test_its_form(self, world: World, clerk: Browser) -> None:
        world.answer(
            "PATCH", "entities", f"/records/company/{COMPANY}", {"id": COMPANY, "effect": "updated", "version": 4}
        )
        form = soup(await clerk.get(f"/companies/{COMPANY}/edit")).select_one("form[action$='/edit']")
        assert form is not None
        await clerk.post(f"/companies/{COMPANY}/edit", {"seen": "3", "v-name": "Wendt Elektro GmbH"})
        (sent,) = world.calls_to("PATCH", "entities", f"/records/company/{COMPANY}")
        assert sent.body == {"name": "Wendt Elektro GmbH"}


class TestRelations:
    async def test_the_form_leads_to_them(self, world: World, clerk: Browser) -> None:
        assert soup(await clerk.get(f"/contacts/{BEN}/edit")).select(f"a[href='{RELATION}']")

    async def test_search_then_choose(self, world: World, clerk: Browser) -> None:
        before = await clerk.get(RELATION)
        assert "Noch nichts gewählt." in words(before)
        assert not soup(before).select("input[name=id]")
        found = await clerk.get(f"{RELATION}?search=wendt")
        assert world.calls_to("GET", "entities", "/records/company")[-1].query["search"] == "wendt"
        assert [field["value"] for field in soup(found).select("input[name=id]")] == [COMPANY]
        world.answer("PUT", "entities", API_RELATION, {"id": BEN, "effect": "updated", "version": 4})
        for _ in range(2):
            response = await clerk.post(RELATION, {"what": "choose", "id": COMPANY, "seen": "3"})
            assert (response.status_code, response.headers["Location"]) == (303, f"/contacts/{BEN}")
        first, second = world.calls_to("PUT", "entities", API_RELATION)
        assert (first.body, first.headers["If-Match"]) == ({"to": [COMPANY]}, '"3"')
        assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]

    async def test_another_one_instead_or_none(self, world: World, clerk: Browser) -> None:
        related = {**ben(), "relations": {"company": [COMPANY]}}
        world.answer("GET", "entities", f"/records/contact/{BEN}", related)
        world.answer("PUT", "entities", API_RELATION, {"id": BEN, "effect": "updated", "version": 4})
        assert "Elektro Wendt GmbH" in words(await clerk.get(RELATION))
        await clerk.post(RELATION, {"what": "choose", "id": "c-2", "seen": "3"})
        await clerk.post(RELATION, {"what": "remove", "id": COMPANY, "seen": "3"})
        assert [call.body for call in world.calls_to("PUT", "entities", API_RELATION)] == [{"to": ["c-2"]}, {"to": []}]

    async def test_what_is_needed_cannot_be_taken_away(self, world: World, clerk: Browser) -> None:
        response = await clerk.get(f"/contracts/{CONTRACT}/relations/holder")
        assert "Ben Krüger" in words(response)
        assert not soup(response).select("input[name=what]")

    async def test_several_can_be_chosen_where_there_may_be_many(self, world: World, clerk: Browser) -> None:
        schema = world.answers["GET", "entities", "/schemas/contact"].json()  # type: ignore[union-attr]
        schema["relations"]["company"]["many"] = True
        world.answer("GET", "entities", "/schemas/contact", schema)
        world.answer("GET", "entities", f"/records/contact/{BEN}", {**ben(), "relations": {"company": ["c-2"]}})
        world.answer("PUT", "entities", API_RELATION, {"id": BEN, "effect": "updated", "version": 4})
        await clerk.post(RELATION, {"what": "choose", "id": COMPANY, "seen": "3"})
        assert world.calls_to("PUT", "entities", API_RELATION)[0].body == {"to": ["c-2", COMPANY]}

    async def test_a_refusal_is_told(self, world: World, clerk: Browser) -> None:
        world.refuse("PUT", "entities", API_RELATION, 412, "precondition_failed")
        response = await clerk.post(f"{RELATION}?search=wendt", {"what": "choose", "id": COMPANY, "seen": "2"})
        assert response.status_code == 412
        assert "Sentence of precondition_failed." in words(response)
        assert soup(response).select(f"input[name=id][value='{COMPANY}']")

    async def test_what_is_none(self, world: World, clerk: Browser) -> None:
        assert (await clerk.get(f"/contacts/{BEN}/relations/nothing")).status_code == 404
        assert (await clerk.get("/contacts/nobody/relations/company")).status_code == 404
        assert (await clerk.post(RELATION, {"what": "dance", "id": COMPANY})).status_code == 404
        assert not world.calls_to("PUT", "entities", API_RELATION)
