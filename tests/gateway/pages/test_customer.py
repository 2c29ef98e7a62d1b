"""What a customer sees of his contracts, payments, processes, tasks, requests, documents and notices."""

from __future__ import annotations

from datetime import date
from typing import Any

import httpx
import pytest

from tests.gateway.pages.customer_data import (
    CONTRACT,
    FILE,
    INSTANCE,
    SUBMISSION,
    balance,
    contract,
    day,
    details,
    effect,
    ending,
    event,
    file,
    listed,
    me,
    page,
    preview,
    process,
    request,
    step,
    task,
    world,
)
from tests.gateway.world import INSTALLERS, World, soup, user, visiting, words

PAGES = (
    *("/", "/contracts", f"/contracts/{CONTRACT}", f"/contracts/{CONTRACT}/billing-events"),
    *(f"/contracts/{CONTRACT}/instalment", "/payments", "/tasks", f"/tasks/{INSTANCE}/proof"),
    *("/processes", f"/processes/{INSTANCE}", "/requests", f"/requests/{SUBMISSION}", "/documents", "/notices"),
)


def short(iso: str) -> str:
    return date.fromisoformat(iso).strftime("%d.%m.%Y")


async def shown(made: World, path: str, language: str = "de", **owner: Any) -> httpx.Response:
    async with visiting(made, owner=user(language=language, **owner), language=language) as browser:
        return await browser.get(path)


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("path", PAGES)
async def test_every_page_in_both_languages(path: str, language: str) -> None:
    answer = await shown(world(), path, language)
    assert (answer.status_code, soup(answer).html["lang"]) == (200, language)
    assert "{'de'" not in answer.text
    assert soup(answer).select_one("main h1") is not None


@pytest.mark.parametrize("path", PAGES)
async def test_nobody_sees_them_without_signing_in(path: str) -> None:
    async with visiting(world()) as browser:
        answer = await browser.get(path)
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in")


@pytest.mark.parametrize("path", [each for each in PAGES if "-" in each])
async def test_what_is_not_his_looks_as_if_it_did_not_exist(path: str) -> None:
    assert (await shown(World(), path)).status_code == 404


class TestStart:
    async def test_what_needs_him_comes_first(self) -> None:
        said = words(await shown(world(), "/")).replace("\xa0", " ")
        order = ["Guten Tag, Ben Krüger", "Jetzt zu erledigen", "Nachweis einreichen", "289,00 € sind überfällig"]
        order += ["Läuft gerade", "Kündigung Ihres Vertrags", "Neue Mitteilungen", "Ihre Verträge", "Erdgas Komfort"]
        place = 0
        for each in order:
            place = said.index(each, place)

    async def test_asks_only_for_what_is_open(self) -> None:
        made = world()
        await shown(made, "/")
        for path, name, value in (("/tasks", "status", "open"), ("/processes", "status", "open")):
            assert made.calls_to("GET", "portal", path)[0].query[name] == value
        assert made.calls_to("GET", "portal", "/notices")[0].query["unread"] == "true"

    async def test_his_own_actions_and_links(self) -> None:
        read = soup(await shown(world(), "/"))
        form = read.select_one("form[action='/actions/move']")
        assert form is not None
        assert [field["value"] for field in form.select("[name=entity], [name=id]")] == ["contact", "c-1"]
        assert {link["href"] for link in read.select("#more a")} == {"https://www.example.org/out", "/j/reading"}

    async def test_nothing_to_do_and_no_contracts(self) -> None:
        made = world()
        for path in ("/tasks", "/processes", "/notices", "/contracts"):
            made.answer("GET", "portal", path, page())
        said = words(await shown(made, "/"))
        assert "Zurzeit ist nichts zu erledigen." in said
        assert "Noch keine Verträge" in said
        assert "Läuft gerade" not in said

    async def test_a_part_that_is_away_does_not_take_the_others_along(self) -> None:
        made = world()
        for path in ("/tasks", "/contracts"):
            made.answer("GET", "portal", path, {"code": "unavailable"}, 503)
        said = words(await shown(made, "/"))
        assert "Kündigung Ihres Vertrags" in said
        assert "nichts zu erledigen" not in said
        assert "Noch keine Verträge" not in said

    async def test_who_waits_is_told(self) -> None:
        made = world()
        made.answer("GET", "portal", "/me", me(status="waiting", contact=None))
        said = words(await shown(made, "/"))
        assert "Wir ordnen Ihren Zugang noch zu" in said
        assert "Erdgas Komfort" not in said

    async def test_an_installer_sees_no_money(self) -> None:
        async with visiting(world(), INSTALLERS, user(role="installer", portal_id="installers")) as browser:
            start, found = await browser.get("/"), await browser.get(f"/contracts/{CONTRACT}")
        for answer in (start, found):
            assert "€" not in words(answer)
        assert "Erdgas Komfort" in words(start)
        assert "14 Tage" in words(found)


class TestContract:
    async def test_the_whole_page(self) -> None:
        answer = await shown(world(), f"/contracts/{CONTRACT}")
        said = words(answer)
        for each in ("Vertrag V-1003 · Gas · Am Anger 3, 01945 Tettau", "Aktiv", "142,00 €", "Bezahlt", "14 Tage"):
            assert each in said
        assert "Erstlaufzeit" not in said
        assert "Zum Ende der Laufzeit." in said
        form = soup(answer).select_one("form[action='/actions/cancel']")
        assert form is not None
        assert [field["value"] for field in form.select("[name=entity], [name=id]")] == ["contract", CONTRACT]

    async def test_what_is_overdue_is_first_and_marked(self) -> None:
        made = world()
        events = [event("late"), event("soon", overdue=False, due_on=day(5), kind="invoice")]
        made.answer(
            "GET", "portal", f"/contracts/{CONTRACT}", details(balance=balance(28_400, 14_200), billing_events=events)
        )
        answer = await shown(made, f"/contracts/{CONTRACT}")
        assert "142,00 € sind überfällig" in words(answer)
        chips = [item.select_one(".chip").get_text(strip=True) for item in soup(answer).select("#payments .item")]
        assert chips == ["Überfällig", "Offen"]

    async def test_what_was_requested_stands_beside_what_is_in_force(self) -> None:
        made = world()
        pending = {"change_id": "x", "from_cents": 14_200, "amount_cents": 12_050, "currency": "EUR"}
        pending |= {"effective_from": "2026-12-15", "requested_at": "2026-11-10T09:30:00Z"}
        instalments = {**details()["instalments"], "pending": pending}
        made.answer("GET", "portal", f"/contracts/{CONTRACT}", details(instalments=instalments))
        part = soup(await shown(made, f"/contracts/{CONTRACT}")).select_one("#instalments")
        assert part is not None
        assert part.has_attr("data-live")
        told = " ".join(part.get_text(" ").split())
        assert "Gilt jetzt 142,00 €" in told.replace("\xa0", " ")
        assert "Angefragt 120,50 € ab 15.12.2026" in told.replace("\xa0", " ")
        assert part.select_one("a[href$='/instalment']") is None

    @pytest.mark.parametrize(
        ("status", "reason", "sentence"),
        [
            ("confirmed", None, "wurde Ihr Abschlag von 142,00 € auf 120,50 € geändert"),
            ("refused", "Bitte lesen Sie zuerst den Zähler ab.", "Begründung: Bitte lesen Sie zuerst den Zähler ab."),
        ],
    )
    async def test_what_the_erp_decided_last(self, status: str, reason: str | None, sentence: str) -> None:
        made = world()
        decision = {"change_id": "x", "status": status, "from_cents": 14_200, "amount_cents": 12_050}
        decision |= {"currency": "EUR", "reason": reason, "decided_at": "2026-11-11T09:30:00Z"}
        instalments = {**details()["instalments"], "last_decision": decision}
        made.answer("GET", "portal", f"/contracts/{CONTRACT}", details(instalments=instalments))
        answer = await shown(made, f"/contracts/{CONTRACT}")
        assert sentence in words(answer).replace("\xa0", " ")
        assert not soup(answer).select("#instalments[data-live]")

    async def test_a_cancellation_and_its_process(self) -> None:
        made = world()
        last = {"status": "requested", "requested_on": "2026-11-10", "ends_on": "2027-09-30", "basis": "renewal"}
        last |= {"notice": "P1M", "reason": "moving", "decided_at": None, "cancellation_id": "x"}
        found = details(cancellation={"last": last, "refusal": None}, processes=[process()], actions=[])
        made.answer("GET", "portal", f"/contracts/{CONTRACT}", found)
        answer = await shown(made, f"/contracts/{CONTRACT}")
        said = words(answer)
        for each in ("Gekündigt, wird geprüft", "30. September 2027", "Ende der verlängerten Laufzeit", "1 Monat"):
            assert each in said
        assert soup(answer).select_one(f"a[href='/tasks/{INSTANCE}/proof']") is not None
        assert soup(answer).select(".timeline .moment-active")
        assert not made.calls_to("GET", "billing", f"/contracts/{CONTRACT}/cancellation-preview")

    @pytest.mark.parametrize(
        ("status", "chip", "button"),
        [("confirmed", f"Endet am {short(day(25))}", 0), ("requested", "Aktiv", 0), ("withdrawn", "Aktiv", 1)],
    )
    async def test_behind_the_end_nothing_is_to_be_paid_or_changed(self, status: str, chip: str, button: int) -> None:
        made = world()
        last = {"status": status, "requested_on": day(-1), "ends_on": day(25), "basis": "open_ended"}
        last |= {"notice": "P1M", "reason": None, "decided_at": f"{day(0)}T09:30:00Z", "cancellation_id": "x"}
        found = details(cancellation={"last": last, "refusal": None})
        made.answer("GET", "portal", f"/contracts/{CONTRACT}", found)
        answer = soup(await shown(made, f"/contracts/{CONTRACT}"))
        assert answer.select_one("main .header .chip").get_text(strip=True) == chip
        part = answer.select_one("#instalments")
        assert len(part.select("a[href$='/instalment']")) == button
        assert len(part.select(".schedule li")) == (8 if button else 1)
        assert ("5 weitere Termine" in part.get_text()) == bool(button)
        assert (f"Letzter Abschlag am {short(day(20))}" in part.get_text()) == (not button)

    async def test_a_change_that_is_not_possible_now_is_not_offered(self) -> None:
        made = world()
        refusal = {"code": "payment_overdue", "detail": "Solange eine Zahlung überfällig ist.", "facts": {}}
        made.answer("GET", "billing", f"/contracts/{CONTRACT}/instalment-preview", preview(refusal=refusal))
        made.answer("GET", "portal", f"/contracts/{CONTRACT}", details(balance=balance(350, 350)))
        part = soup(await shown(made, f"/contracts/{CONTRACT}")).select_one("#instalments")
        assert "Solange eine Zahlung überfällig ist." in part.get_text()
        assert part.select("a[href$='/instalment']") == []

    async def test_a_credit_says_what_is_overdue_all_the_same(self) -> None:
        made = world()
        made.answer("GET", "portal", f"/contracts/{CONTRACT}", details(balance=balance(-2_150, 350)))
        made.answer("GET", "portal", "/contracts", page(listed(balance=balance(-2_150, 350))))
        for path in (f"/contracts/{CONTRACT}", "/payments"):
            figure = soup(await shown(made, path)).select_one(".figure-positive")
            said = " ".join(figure.get_text(" ").split())
            assert said == "Guthaben 21,50 € nach Abzug der überfälligen 3,50 €"

    async def test_documents_have_the_names_of_their_files(self) -> None:
        made = world()
        made.answer("GET", "portal", f"/contracts/{CONTRACT}", details(documents=[file()]))
        said = words(await shown(made, f"/contracts/{CONTRACT}"))
        assert "Kündigung Wohnung.pdf Gesendet mit „Vertrag kündigen“, 10.11.2026" in said

    async def test_billing_away_leaves_the_rest(self) -> None:
        made = world()
        made.away.add("billing")
        answer = await shown(made, f"/contracts/{CONTRACT}")
        assert answer.status_code == 200
        assert "Mögliches Vertragsende" in words(answer)

    async def test_why_it_cannot_be_cancelled(self) -> None:
        made = world()
        refusal = {"code": "contract_terms_unknown", "detail": "Die Laufzeit ist nicht bekannt.", "facts": {}}
        path = f"/contracts/{CONTRACT}/cancellation-preview"
        made.answer("GET", "billing", path, ending(next_possible=None, refusal=refusal))
        assert "Die Laufzeit ist nicht bekannt." in words(await shown(made, f"/contracts/{CONTRACT}"))

    async def test_what_the_portal_does_not_show_leaves_no_gaps(self) -> None:
        made = world()
        hidden = contract(product=None, division=None, status=None, in_words={})
        made.answer("GET", "portal", f"/contracts/{CONTRACT}", details(contract=hidden, delivery=None, groups=[]))
        answer = await shown(made, f"/contracts/{CONTRACT}")
        title = soup(answer).select_one("h1")
        assert title is not None
        assert title.get_text() == "Vertrag V-1003"
        assert "None" not in words(answer)


class TestLists:
    async def test_payments_of_all_contracts(self) -> None:
        made = world()
        made.answer(
            "GET",
            "portal",
            "/contracts",
            page(listed(), listed(id="other", balance=balance(-1_000))),
        )
        answer = await shown(made, "/payments")
        said = words(answer).replace("\xa0", " ")
        assert "Überfällig 289,00 €" in said
        assert "Insgesamt offen 279,00 €" in said
        assert soup(answer).select_one("a[href='?show=open&cursor=behind']") is not None
        assert soup(answer).select("tr.row-critical")
        assert made.calls_to("GET", "portal", "/billing-events")[0].query["status"] == "open"
        await shown(made, "/payments?show=paid&cursor=here")
        asked = made.calls_to("GET", "portal", "/billing-events")[1].query
        assert (asked["status"], asked["cursor"]) == ("closed", "here")

    @pytest.mark.parametrize("path", ["/tasks", "/processes"])
    async def test_a_tab_that_does_not_exist_is_the_first(self, path: str) -> None:
        made = world()
        await shown(made, f"{path}?show=everything")
        assert made.calls_to("GET", "portal", path)[0].query["status"] == "open"
        await shown(made, f"{path}?show=over")
        assert made.calls_to("GET", "portal", path)[1].query["status"] == "over"

    @pytest.mark.parametrize("path", ["/contracts", "/payments", "/tasks", "/processes", "/requests", "/documents"])
    async def test_nothing_is_said_kindly(self, path: str) -> None:
        made = world()
        for each in ("/contracts", "/billing-events", "/tasks", "/processes", "/requests", "/documents"):
            made.answer("GET", "portal", each, page())
        assert soup(await shown(made, path)).select_one("main .empty") is not None


class TestFollowing:
    async def test_each_effect_and_its_outcome(self) -> None:
        made = world()
        effects = [
            effect("map", "done", "Ihre Angaben wurden übernommen."),
            effect("cancel_contract", "failed", "Die Kündigung war nicht möglich.", code="x"),
            effect("start_process", "under_way", "Der Vorgang beginnt gleich."),
        ]
        made.answer("GET", "portal", f"/requests/{SUBMISSION}", request("failed", *effects))
        answer = await shown(made, f"/requests/{SUBMISSION}")
        said = words(answer)
        for each in (
            "Ihre Angaben wurden übernommen.",
            "Die Kündigung war nicht möglich.",
            "VQZ8-MCQB",
            "Ich ziehe um",
        ):
            assert each in said
        assert "Etwas hat nicht geklappt" in said
        assert "Kündigung Wohnung.pdf" in said

    @pytest.mark.parametrize(("status", "chip"), [("open", "Wird bearbeitet"), ("completed", "Erledigt")])
    async def test_it_is_not_done_while_its_process_runs(self, status: str, chip: str) -> None:
        made = world()
        sent = request("done", effect("start_process", "done", "Der Vorgang hat begonnen.", instance_id=INSTANCE))
        made.answer("GET", "portal", f"/requests/{SUBMISSION}", sent)
        made.answer("GET", "portal", "/requests", page(sent))
        made.answer("GET", "portal", "/processes", page(*[process()] if status == "open" else []))
        for path in (f"/requests/{SUBMISSION}", "/requests"):
            chips = [each.get_text(strip=True) for each in soup(await shown(made, path)).select("main .chip")]
            assert chips == [chip]

    @pytest.mark.parametrize(("status", "live"), [("under_way", True), ("done", False), ("failed", False)])
    async def test_it_is_live_while_something_is_under_way(self, status: str, live: bool) -> None:
        made = world()
        made.answer("GET", "portal", f"/requests/{SUBMISSION}", request(status))
        found = soup(await shown(made, f"/requests/{SUBMISSION}")).select_one("#request")
        assert found is not None
        assert found.has_attr("data-live") == live

    async def test_a_request_without_journeys(self) -> None:
        made = world()
        made.away.add("journeys")
        answer = await shown(made, f"/requests/{SUBMISSION}")
        assert answer.status_code == 200
        assert "Ihre Angaben sind bei uns angekommen." in words(answer)

    async def test_documents_have_the_names_of_their_files(self) -> None:
        made = world()
        assert "Kündigung Wohnung.pdf" in words(await shown(made, "/documents"))
        made.away.add("journeys")
        assert "Vertrag kündigen (PDF)" in words(await shown(made, "/documents"))

    @pytest.mark.parametrize(
        ("found", "sentence", "buttons"),
        [
            (task(), "Bitte senden Sie uns einen Nachweis.", ["begin", "done"]),
            (task(submission_id=SUBMISSION), "Ihre Angaben sind da", ["done", "begin"]),
            (task(journey_id=None), "Bitte senden Sie uns einen Nachweis.", ["done"]),
            (task(done_on="submit"), "Bitte senden Sie uns einen Nachweis.", ["begin"]),
            (task("done"), "Diese Aufgabe ist erledigt.", []),
            (task("withdrawn"), "Sie müssen nichts mehr tun", []),
            (task(overdue=True, due_on=day(-1)), "Überfällig seit", ["begin", "done"]),
        ],
    )
    async def test_a_task(self, found: dict[str, Any], sentence: str, buttons: list[str]) -> None:
        made = world()
        made.answer("GET", "portal", f"/tasks/{INSTANCE}/proof", {"task": found, "process": process()})
        answer = await shown(made, f"/tasks/{INSTANCE}/proof")
        assert sentence in words(answer)
        forms = soup(answer).select(f"main form[action^='/tasks/{INSTANCE}/proof/']")
        assert [str(form["action"]).rpartition("/")[2] for form in forms] == buttons

    async def test_a_task_that_is_done_says_when_and_no_longer_until_when(self) -> None:
        made = world()
        over = process(
            "completed", steps=[step("proof", "Nachweis einreichen", "done", done_at="2026-11-12T09:30:00Z")]
        )
        made.answer("GET", "portal", f"/tasks/{INSTANCE}/proof", {"task": task("done"), "process": over})
        said = words(await shown(made, f"/tasks/{INSTANCE}/proof"))
        assert "Erledigt am 12.11.2026" in said
        assert "Bitte erledigen bis" not in said

    @pytest.mark.parametrize("status", ["open", "completed", "cancelled"])
    async def test_a_process(self, status: str) -> None:
        made = world()
        made.answer("GET", "portal", f"/processes/{INSTANCE}", process(status))
        answer = await shown(made, f"/processes/{INSTANCE}")
        assert bool(soup(answer).select("#process[data-live]")) == (status == "open")
        assert "Wir prüfen" in words(answer)

    async def test_a_file_is_downloaded_and_never_shown(self) -> None:
        made = world()
        made.answers["GET", "journeys", f"/files/{FILE}"] = httpx.Response(
            200,
            content=b"<script>alert(1)</script>",
            headers={
                "Content-Type": "text/html",
                "Content-Disposition": "attachment; filename*=UTF-8''K%C3%BCndigung.html",
            },
        )
        answer = await shown(made, f"/documents/{FILE}")
        assert answer.content == b"<script>alert(1)</script>"
        assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''K%C3%BCndigung.html"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"

    @pytest.mark.parametrize("named", ["inline", 'inline; filename="a.html"', "", "attachment; filename=a\\b; x"])
    async def test_whatever_the_api_says_it_is_an_attachment(self, named: str) -> None:
        made = world()
        headers = {"Content-Type": "image/svg+xml", "Content-Disposition": named}
        made.answers["GET", "journeys", f"/files/{FILE}"] = httpx.Response(200, content=b"<svg/>", headers=headers)
        assert (await shown(made, f"/documents/{FILE}")).headers["content-disposition"] == "attachment"

    async def test_a_foreign_file(self) -> None:
        assert (await shown(world(), "/documents/somebody-elses")).status_code == 404
