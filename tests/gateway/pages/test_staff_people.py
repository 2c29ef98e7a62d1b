"""Staff deal with portal users, contacts and members: lists, assignment, editing, invitations."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from io import StringIO
from typing import Any

import httpx
import pytest

from tests.gateway.pages.customer_data import page
from tests.gateway.pages.staff_data import BEN, COMPANY, CONTRACT, DORA, MARIA, ben, dora, entry, maria
from tests.gateway.world import CUSTOMERS, STAFF, Browser, World, member, soup, user, visiting, words

USER = f"/users/{DORA}"
CONTACT = f"/contacts/{BEN}"
RECORD = f"/records/contact/{BEN}"
FILLED = {"seen": "3", "v-first_name": "Ben", "v-last_name": "Krüger", "v-email": "ben@example.org"}
FILLED |= {"v-city": "Tettau", "v-language": "de", "v-divisions-shown": "yes", "v-divisions": "gas"}


@pytest.fixture
async def operator(world: World) -> AsyncIterator[Browser]:
    async with visiting(world, STAFF, member("operator")) as browser:
        yield browser


def mistake(response: httpx.Response, name: str) -> str:
    """What is said at a field."""
    found = soup(response).select_one(f"#f-{name}-error")
    return " ".join(found.get_text(" ").split()) if found else ""


def rows(response: httpx.Response) -> list[list[str]]:
    assert response.headers["Content-Type"].startswith("text/csv")
    return list(csv.reader(StringIO(response.text.lstrip("\ufeff")), delimiter=";"))


class TestUsers:
    async def test_the_table_shows_both_statuses_and_what_can_be_done(self, clerk: Browser) -> None:
        response = await clerk.get("/users")
        assert response.status_code == 200
        for word in ("Dora Maria Fuchs", "dora@", "Mein Lindenau", "Registriert", "Offen"):
            assert word in words(response)
        links = {link["href"] for link in soup(response).select("tbody a")}
        assert {USER, f"{USER}/assign", f"{USER}/contact", f"{USER}/block", f"{USER}/delete"} <= links

    async def test_filters_and_columns_are_kept_in_the_address(self, world: World, clerk: Browser) -> None:
        world.answer("GET", "identity", "/users", page(dora(), next=DORA))
        address = "/users?assignment=pending&columns=email&columns=expires_at&search=dora"
        response = await clerk.get(address)
        (asked,) = world.calls_to("GET", "identity", "/users")
        assert (asked.query["assignment"], asked.query["search"]) == ("pending", "dora")
        assert {"email", "expires_at"} <= set(asked.query["columns"].split(","))
        heads = [head.get_text() for head in soup(response).select("thead th")]
        assert heads[:3] == ["Name", "E-Mail", "Zugang endet"]
        following = soup(response).select_one(".pagination a")
        assert following is not None
        assert {f"after={DORA}", "assignment=pending", "columns=expires_at"} <= set(
            str(following["href"]).partition("?")[2].split("&")
        )

    async def test_the_export_is_passed_on(self, world: World, clerk: Browser) -> None:
        table = httpx.Response(200, text="Name;E-Mail\n", headers={"Content-Type": "text/csv"})
        world.answers["GET", "identity", "/users"] = table
        response = await clerk.get("/users/export?assignment=pending&columns=name,email")
        assert response.text == "Name;E-Mail\n"
        assert "attachment" in response.headers["Content-Disposition"]
        (asked,) = world.calls_to("GET", "identity", "/users")
        assert (asked.headers["Accept"], asked.query["assignment"]) == ("text/csv", "pending")

    async def test_candidates_come_before_what_a_search_finds(self, world: World, clerk: Browser) -> None:
        candidate = {"contact_id": "c-9", "number": "K-9", "name": "Dora Fuchs"}
        world.answer("GET", "identity", USER, dora(candidates=[candidate]))
        response = await clerk.get(f"{USER}/assign?search=ben")
        assert world.calls_to("GET", "entities", "/records/contact")[0].query["search"] == "ben"
        chosen = [field["value"] for field in soup(response).select("input[name=contact_id]")]
        assert chosen == ["c-9", BEN]

    async def test_assigning(self, world: World, clerk: Browser) -> None:
        world.answer("POST", "identity", f"{USER}/assignment", status=204)
        for _ in range(2):
            response = await clerk.post(f"{USER}/assign", {"contact_id": BEN})
            assert (response.status_code, response.headers["Location"]) == (303, USER)
        first, second = world.calls_to("POST", "identity", f"{USER}/assignment")
        assert first.body == {"contact_id": BEN}
        assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]

    async def test_a_contact_is_made_of_a_user(self, world: World, clerk: Browser) -> None:
        form = soup(await clerk.get(f"{USER}/contact"))
        filled = {field["name"]: field.get("value") for field in form.select("input[name^=v-]")}
        assert (filled["v-first_name"], filled["v-last_name"]) == ("Dora Maria", "Fuchs")
        made = {"contact_id": "c-7", "customer_number": "P-7", "status": "assigned"}
        world.answer("POST", "identity", f"{USER}/contact", made, 201)
        fields = {"v-first_name": "Dora", "v-last_name": "Fuchs", "v-city": "", "v-divisions-shown": "yes"}
        await clerk.post(f"{USER}/contact", {**fields, "v-divisions": ["gas", "water"]})
        (sent,) = world.calls_to("POST", "identity", f"{USER}/contact")
        values = {"first_name": "Dora", "last_name": "Fuchs", "divisions": ["gas", "water"]}
        assert sent.body == {"customer_number": None, "values": values}

    async def test_a_refused_contact_keeps_what_was_typed(self, world: World, clerk: Browser) -> None:
        world.refuse("POST", "identity", f"{USER}/contact", 409, "contact_exists", customer_number="K-1")
        response = await clerk.post(f"{USER}/contact", {"v-customer_number": "K-1", "v-last_name": "Fuchs"})
        assert response.status_code == 409
        assert "Sentence of contact_exists." in mistake(response, "v-customer_number")
        assert soup(response).select("input[name=v-customer_number][value=K-1]")

    @pytest.mark.parametrize(
        ("what", "fields", "path", "body"),
        [
            ("block", {"reason": "Missbrauch"}, "/block", {"reason": "Missbrauch"}),
            ("unblock", {}, "/unblock", None),
            ("resend", {}, "/activation-mail", None),
            ("expiry", {"until": "2027-01-31"}, "/expiry", {"expires_at": "2027-01-31T23:59:59+01:00"}),
            ("expiry", {"until": ""}, "/expiry", {"expires_at": None}),
        ],
    )
    async def test_whether_he_may_come_in(  # noqa: PLR0917 the cases
        self, world: World, clerk: Browser, what: str, fields: dict[str, str], path: str, body: Any
    ) -> None:
        world.answer("POST", "identity", USER + path, status=204)
        response = await clerk.post(f"{USER}/{what}", fields)
        assert (response.status_code, response.headers["Location"]) == (303, USER)
        (sent,) = world.calls_to("POST", "identity", USER + path)
        assert sent.body == body

    async def test_what_is_missing_is_said_before_anything_happens(self, world: World, clerk: Browser) -> None:
        for what, name in (("block", "reason"), ("unassign", "reason"), ("delete", "sure")):
            response = await clerk.post(f"{USER}/{what}")
            assert (response.status_code, bool(mistake(response, name))) == (422, True)
        assert not [call for call in world.calls if call.method == "DELETE" or "/block" in call.path]

    async def test_deleting(self, world: World, clerk: Browser) -> None:
        world.answer("DELETE", "identity", USER, status=204)
        response = await clerk.post(f"{USER}/delete", {"sure": "yes"})
        assert response.headers["Location"] == "/users"

    async def test_what_is_not_there(self, world: World, clerk: Browser) -> None:
        assert (await clerk.get("/users/nobody")).status_code == 404
        assert (await clerk.get(f"{USER}/dance")).status_code == 404
        assert (await clerk.post(f"{USER}/dance")).status_code == 404


class TestInvitations:
    CSV = "Kundennummer;E-Mail;Sprache\nK-1002;;de\nK-9;;\n;;\nK-1002;x@example.org;fr\n"

    async def invite(self, clerk: Browser, content: str) -> httpx.Response:
        files = {"file": ("invitations.csv", content.encode(), "text/csv")}
        return await clerk.post("/users/invitations", {"portal": "customers"}, files=files)

    async def test_a_report_of_each_row_with_the_refused_first(self, world: World, clerk: Browser) -> None:
        def contacts(call: Any) -> httpx.Response:
            return httpx.Response(200, json=page(*([ben()] if call.query["external_id"] == "K-1002" else [])))

        world.answers["GET", "entities", "/records/contact"] = contacts
        world.answer("POST", "identity", "/portals/customers/invitations", {"user_id": DORA}, 202)
        response = await self.invite(clerk, self.CSV)
        shown = [[cell.get_text() for cell in row.select("th, td")] for row in soup(response).select("tbody tr")]
        assert [row[:2] for row in shown] == [["3", "K-9"], ["5", "K-1002"], ["2", "K-1002"]]
        assert "Diesen Kontakt gibt es nicht." in shown[0][-1]
        (sent,) = world.calls_to("POST", "identity", "/portals/customers/invitations")
        assert sent.body == {"contact_id": BEN, "email": None, "language": "de"}

        sealed = soup(response).select_one("input[name=rows]")
        assert sealed is not None
        refused = rows(await clerk.post("/users/invitations/refused", {"rows": sealed["value"]}))
        assert [row[0] for row in refused] == ["customer_number", "K-9", "K-1002"]

    async def test_each_row_has_a_key_of_its_own_that_a_repetition_keeps(self, world: World, clerk: Browser) -> None:
        world.answer("POST", "identity", "/portals/customers/invitations", {"user_id": DORA}, 202)
        for _ in range(2):
            await self.invite(clerk, "Kundennummer\nK-1002\nK-1002\n")
        keys = [
            call.headers["Idempotency-Key"]
            for call in world.calls_to("POST", "identity", "/portals/customers/invitations")
        ]
        assert len(keys) == 4
        assert len(set(keys)) == 2

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("Name\nBen\n", "fehlt die Spalte"),
            ("Kundennummer\n" + "K-1\n" * 501, "zu viele Zeilen"),
            ("Kundennummer\n" + "K" * 600_000, "zu groß"),
        ],
    )
    async def test_files_that_are_refused(self, world: World, clerk: Browser, content: str, said: str) -> None:
        response = await self.invite(clerk, content)
        assert response.status_code == 422
        assert said in mistake(response, "file")
        assert not world.calls_to("POST", "identity", "/portals/customers/invitations")


class TestContacts:
    async def test_the_list_is_searched_and_filtered(self, world: World, clerk: Browser) -> None:
        world.answer("GET", "entities", "/records/contact", page(ben(), next=BEN))
        response = await clerk.get("/contacts?search=krüg&is-divisions=gas")
        assert "Ben Krüger" in words(response)
        (asked,) = world.calls_to("GET", "entities", "/records/contact")
        assert (asked.query["search"], asked.query["where"]) == ("krüg", "divisions:gas")
        assert "search=kr%C3%BCg" in str(soup(response).select(".pagination a")[0]["href"])

    async def test_a_contact_with_what_belongs_to_it(self, world: World, clerk: Browser) -> None:
        response = await clerk.get(CONTACT)
        for word in (
            "Ben Krüger",
            "K-1002",
            "Tettau",
            "V-1003",
            "dora@example.org",
            "Maria Kern",
            "Deutsch",
            "Eingangsbestätigung",
        ):
            assert word in words(response)

    async def test_a_service_that_is_away_leaves_the_rest(self, world: World, clerk: Browser) -> None:
        world.away |= {"processes", "notifications"}
        response = await clerk.get(CONTACT)
        assert response.status_code == 200
        assert "Ben Krüger" in words(response)
        assert "Gerade nicht erreichbar" in words(response)

    async def test_only_what_was_changed_is_sent_for_the_version_that_was_seen(
        self, world: World, clerk: Browser
    ) -> None:
        world.answer("PATCH", "entities", RECORD, {"id": BEN, "effect": "updated", "version": 4})
        await clerk.post(f"{CONTACT}/edit", {**FILLED, "v-city": "Ortrand", "v-email": ""})
        (sent,) = world.calls_to("PATCH", "entities", RECORD)
        assert sent.body == {"city": "Ortrand", "email": None}
        assert sent.headers["If-Match"] == '"3"'

    async def test_nothing_changed_sends_nothing(self, world: World, clerk: Browser) -> None:
        await clerk.post(f"{CONTACT}/edit", FILLED)
        assert not world.calls_to("PATCH", "entities", RECORD)

    async def test_what_somebody_else_changed_meanwhile(self, world: World, clerk: Browser) -> None:
        world.answer("GET", "entities", RECORD, {**ben(city="Ruhland", phone="+49 30 1"), "version": 5})
        newer = [entry(5, "phone", None, "+49 30 1"), entry(4, "city", "Tettau", "Ruhland")]
        world.answer("GET", "entities", f"{RECORD}/history", page(*newer, entry(3, "language", "en", "de")))
        response = await clerk.post(f"{CONTACT}/edit", {**FILLED, "v-city": "Ortrand", "v-phone": ""})
        assert response.status_code == 412
        assert not world.calls_to("PATCH", "entities", RECORD)
        form = {field["name"]: field.get("value", "") for field in soup(response).select("input[name]")}
        assert (form["v-city"], form["v-phone"], form["seen"]) == ("Ortrand", "+49 30 1", "5")
        for word in ("Maria Kern", "Ruhland"):
            assert word in words(response)
        assert "Sprache Englisch" not in words(response)

    async def test_a_change_that_overtakes_the_form(self, world: World, clerk: Browser) -> None:
        world.refuse("PATCH", "entities", RECORD, 412, "precondition_failed")
        response = await clerk.post(f"{CONTACT}/edit", {**FILLED, "v-city": "Ortrand"})
        assert response.status_code == 412
        assert soup(response).select("input[name=v-city][value=Ortrand]")

    async def test_a_refused_value_stands_at_its_field(self, world: World, clerk: Browser) -> None:
        detail = "phone: Das ist keine Telefonnummer."
        world.refuse("PATCH", "entities", RECORD, 422, "invalid_phone", attribute="phone", detail=detail)
        response = await clerk.post(f"{CONTACT}/edit", {**FILLED, "v-phone": "keine"})
        assert response.status_code == 422
        assert mistake(response, "v-phone").endswith("Fehler: Das ist keine Telefonnummer.")
        assert soup(response).select("input[name=v-phone][value=keine]")

    async def test_a_new_one(self, world: World, clerk: Browser) -> None:
        empty = await clerk.post("/contacts/new", {"v-last_name": "Neu"})
        assert (empty.status_code, bool(mistake(empty, "v-customer_number"))) == (422, True)
        taken = await clerk.post("/contacts/new", {"v-customer_number": "K-1002"})
        assert "schon einen Datensatz" in mistake(taken, "v-customer_number")
        world.answer("GET", "entities", "/records/contact", page())
        world.answer("PUT", "entities", "/records/contact/K-5", {"id": "c-5"}, 201)
        made = await clerk.post("/contacts/new", {"v-customer_number": "K-5", "v-last_name": "Neu", "v-city": ""})
        assert made.headers["Location"] == "/contacts/c-5"
        (sent,) = world.calls_to("PUT", "entities", "/records/contact/K-5")
        assert sent.body == {"customer_number": "K-5", "last_name": "Neu"}

    async def test_one_that_is_still_needed_stays(self, world: World, clerk: Browser) -> None:
        world.refuse("DELETE", "entities", "/records/contact/K-1002", 409, "record_in_use")
        response = await clerk.post(f"{CONTACT}/delete", {"what": "delete"})
        assert response.status_code == 409
        assert "Sentence of record_in_use." in words(response)

    @pytest.mark.parametrize(
        ("address", "said", "erased"),
        [
            (CONTACT, "Der Kontakt K-1002 verschwindet", "Person unwiderruflich löschen"),
            (f"/companies/{COMPANY}", "Die Firma F-3001 verschwindet", "Firma unwiderruflich löschen"),
            (f"/contracts/{CONTRACT}", "Der Vertrag V-1003 verschwindet", ""),
        ],
    )
    async def test_what_deleting_does_is_said_for_each_kind(
        self, operator: Browser, address: str, said: str, erased: str
    ) -> None:
        response = await operator.get(f"{address}/delete")
        assert said in words(response)
        assert [each.get_text() for each in soup(response).select(".card-critical h2")] == ([erased] if erased else [])

    async def test_operators_erase_a_person_when_they_are_sure(self, world: World, operator: Browser) -> None:
        erase = f"/persons/contact/{BEN}/erase"
        world.answer("POST", "identity", erase, {"person": f"contact/{BEN}", "repeated": False})
        unsure = await operator.post(f"{CONTACT}/delete", {"what": "erase", "reason": "Antrag"})
        assert (unsure.status_code, bool(mistake(unsure, "sure"))) == (422, True)
        await operator.post(f"{CONTACT}/delete", {"what": "erase", "reason": "Antrag", "sure": "yes"})
        (sent,) = world.calls_to("POST", "identity", erase)
        assert sent.body == {"reason": "Antrag"}

    async def test_clerks_are_not_offered_to_erase(self, clerk: Browser) -> None:
        assert not soup(await clerk.get(f"{CONTACT}/delete")).select("input[value=erase]")

    async def test_inviting(self, world: World, clerk: Browser) -> None:
        path = "/portals/customers/invitations"
        world.refuse("POST", "identity", path, 422, "invalid_email")
        refused = await clerk.post(f"{CONTACT}/invitations", {"portal": "customers", "email": "x"})
        assert refused.status_code == 422
        world.answer("POST", "identity", path, {"user_id": DORA}, 202)
        await clerk.post(f"{CONTACT}/invitations", {"portal": "customers", "email": ""})
        assert world.calls_to("POST", "identity", path)[-1].body == {"contact_id": BEN, "email": None}

    async def test_an_entity_without_a_schema(self, world: World, clerk: Browser) -> None:
        del world.answers["GET", "entities", "/schemas/company"]
        assert "nicht eingerichtet" in words(await clerk.get("/companies"))
        assert (await clerk.get("/companies/c-1")).status_code == 404
        assert (await clerk.get("/companies/new")).status_code == 404


class TestMembers:
    PATH = f"/staff/{MARIA}"

    async def test_clerks_look_and_operators_change(self, world: World, clerk: Browser) -> None:
        assert "Maria Kern" in words(await clerk.get("/members"))
        assert not soup(await clerk.get(f"/members/{MARIA}")).select("form[action^='/members']")
        assert (await clerk.get("/members/nobody")).status_code == 404

    async def test_groups_and_roles(self, world: World, operator: Browser) -> None:
        world.answer("PUT", "identity", self.PATH, status=204)
        fields = {"what": "rights", "roles": ["staff", "operator"], "groups": "customer_service"}
        await operator.post(f"/members/{MARIA}", {**fields, "more_groups": "metering, field_service"})
        (sent,) = world.calls_to("PUT", "identity", self.PATH)
        assert sent.body == {
            "groups": ["customer_service", "metering", "field_service"],
            "roles": ["staff", "operator"],
        }

    async def test_a_link_is_shown_once(self, world: World, operator: Browser) -> None:
        link = {"token": "secret-token", "expires_at": "2026-11-25T09:00:00Z"}
        world.answer("POST", "identity", f"{self.PATH}/password-links", link, 201)
        response = await operator.post(f"/members/{MARIA}", {"what": "password"})
        assert f"https://{STAFF}/reset/secret-token" in words(response)

    async def test_registering(self, world: World, operator: Browser) -> None:
        made = {"staff_id": "s-9", "token": "its-token", "token_expires_at": "2026-11-25T09:00:00Z"}
        world.answer("POST", "identity", "/staff", made, 201)
        fields = {"name": "Jo", "email": "jo@example.org", "roles": "staff", "language": "en"}
        assert "/reset/its-token" in words(await operator.post("/members/new", fields))
        (sent,) = world.calls_to("POST", "identity", "/staff")
        assert sent.body == {**fields, "roles": ["staff"], "groups": []}

    async def test_blocking(self, world: World, operator: Browser) -> None:
        world.answer("POST", "identity", f"{self.PATH}/block", status=204)
        world.answer("GET", "identity", "/staff", page(maria(blocked=True)))
        await operator.post(f"/members/{MARIA}", {"what": "block"})
        assert world.calls_to("POST", "identity", f"{self.PATH}/block")
        assert (await operator.post(f"/members/{MARIA}", {"what": "dance"})).status_code == 404


async def test_forms_that_are_not_ours_change_nothing(world: World, clerk: Browser) -> None:
    for path in (f"{USER}/block", f"{USER}/assign", f"{CONTACT}/edit", "/users/invitations", f"/members/{MARIA}"):
        assert (await clerk.http.post(path, data={"reason": "because"})).status_code == 403
    assert {call.method for call in world.calls if call.path not in {"/token", "/sessions/token"}} <= {"GET"}


async def test_customers_have_no_such_pages(world: World) -> None:
    async with visiting(world, CUSTOMERS, user()) as customer:
        for path in ("/users", "/contacts", CONTACT, "/members", "/imports"):
            assert (await customer.get(path)).status_code == 404
