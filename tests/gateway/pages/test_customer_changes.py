"""What a customer changes himself: his instalment, tasks, notices, and the journeys that he begins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.pages.customer.instalment import read_amount
from tests.gateway.pages.customer_data import (
    CONTRACT,
    INSTANCE,
    contract,
    day,
    details,
    notice,
    page,
    plan,
    preview,
    world,
)
from tests.gateway.world import Browser, World, soup, user, visiting, words

FORM = f"/contracts/{CONTRACT}/instalment"
PREVIEW = f"/contracts/{CONTRACT}/instalment-preview"
CHANGES = f"/contracts/{CONTRACT}/instalment-changes"
TASK = f"/tasks/{INSTANCE}/proof"


def _answer(body: Any) -> httpx.Response:
    return httpx.Response(200, json=body)


@pytest.fixture
def made() -> World:
    return world()


@pytest.fixture
async def browser(made: World) -> AsyncIterator[Browser]:
    async with visiting(made, owner=user()) as one:
        yield one


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("95", 9_500),
        ("95,5", 9_550),
        ("95.05", 9_505),
        (" 95,00 € ", 9_500),
        ("1.234,50", 123_450),
        ("1,234.50", 123_450),
        ("1 234", 123_400),
        ("1.234", 123_400),
        ("0", 0),
        ("", None),
        ("-5", None),
        ("abc", None),
        ("95,555,5", None),
        ("95,", None),
        ("1e3", None),
        ("99999999", None),
        ("٣", None),
    ],
)
def test_amounts_as_people_write_them(text: str, cents: int | None) -> None:
    assert read_amount(text) == cents


@pytest.mark.parametrize(
    "path",
    [FORM, f"{TASK}/begin", f"{TASK}/done", "/actions/cancel", "/notices/read", "/notices/n-1/open"],
)
async def test_a_form_that_is_not_ours_changes_nothing(made: World, browser: Browser, path: str) -> None:
    answer = await browser.http.post(path, data={"amount": "95", "press": "a-press-of-the-button"})
    assert answer.status_code == 403
    assert [call for call in made.calls if call.method != "GET" and call.service != "identity"] == []


class TestInstalment:
    async def test_the_form_has_its_limits(self, browser: Browser) -> None:
        answer = await browser.get(FORM)
        slider = soup(answer).select_one("input[type=range]")
        assert slider is not None
        assert (slider["min"], slider["max"], slider["value"]) == ("11360", "28400", "14200")

    async def test_a_change_is_requested(self, made: World, browser: Browser) -> None:
        made.answer("POST", "billing", CHANGES, {"change_id": "x"}, 202, Portico_Position="billing/1:7")
        answer = await browser.post(FORM, {"amount": "120,50"})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/contracts/{CONTRACT}#instalments")
        (call,) = made.calls_to("POST", "billing", CHANGES)
        assert call.body == {"amount_cents": 12_050}
        following = await browser.get(f"/contracts/{CONTRACT}")
        assert "Ihre Änderung auf 120,50 € ist bei uns angekommen." in words(following).replace("\xa0", " ")
        (read,) = made.calls_to("GET", "portal", f"/contracts/{CONTRACT}")
        assert read.headers["portico-position"] == "billing/1:7"

    async def test_a_double_press_is_one_change(self, made: World, browser: Browser) -> None:
        made.answer("POST", "billing", CHANGES, {"change_id": "x"}, 202)
        for _ in range(2):
            await browser.post(FORM, {"amount": "120"})
        await browser.post(FORM, {"amount": "120", "press": "another-press-of-it"})
        keys = [call.headers["idempotency-key"] for call in made.calls_to("POST", "billing", CHANGES)]
        assert keys[0] == keys[1] != keys[2]

    async def test_a_refusal_is_told_with_what_was_typed(self, made: World, browser: Browser) -> None:
        made.refuse("POST", "billing", CHANGES, 409, "above_upper_limit")
        answer = await browser.post(FORM, {"amount": "500,00"})
        assert answer.status_code == 409
        field = soup(answer).select_one("#f-amount")
        assert field is not None
        assert (field["value"], field["aria-invalid"]) == ("500,00", "true")
        assert "Sentence of above_upper_limit." in words(answer)

    async def test_what_is_no_amount_is_asked_for_again(self, made: World, browser: Browser) -> None:
        answer = await browser.post(FORM, {"amount": "viel"})
        assert answer.status_code == 422
        field = soup(answer).select_one("#f-amount")
        assert field is not None
        assert field["value"] == "viel"
        assert not made.calls_to("POST", "billing", CHANGES)

    async def test_a_preview_without_scripts(self, made: World, browser: Browser) -> None:
        answer = await browser.post(FORM, {"amount": "120,50", "next": "preview"})
        assert answer.status_code == 303
        assert not made.calls_to("POST", "billing", CHANGES)
        changed = preview(schedule=plan(12_050)["schedule"])
        made.answers["GET", "billing", PREVIEW] = lambda call: _answer(
            changed if call.query.get("amount_cents") == "12050" else preview()
        )
        seen = await browser.get(answer.headers["location"].partition("#")[0])
        part = soup(seen).select_one("#instalment-preview")
        assert part is not None
        assert "120,50 €" in part.get_text().replace("\xa0", " ")

    async def test_a_preview_with_scripts(self, made: World, browser: Browser) -> None:
        refusal = {"code": "above_upper_limit", "detail": "Höchstens 284 €.", "facts": {}}
        made.answer("GET", "billing", PREVIEW, preview(refusal=refusal))
        answer = await browser.get(f"{FORM}/preview?amount=500")
        assert "Höchstens 284 €." in answer.text
        assert soup(answer).select_one("#instalment-preview") is not None
        assert soup(answer).select_one("header") is None
        (call,) = made.calls_to("GET", "billing", PREVIEW)
        assert call.query["amount_cents"] == "50000"
        assert "Bitte geben Sie einen Betrag ein" in (await browser.get(f"{FORM}/preview?amount=x")).text

    async def test_why_not_now(self, made: World, browser: Browser) -> None:
        refusal = {"code": "payment_overdue", "detail": "Solange eine Zahlung überfällig ist.", "facts": {}}
        made.answer("GET", "billing", PREVIEW, preview(refusal=refusal, possible_on=day(0)))
        answer = await browser.get(FORM)
        assert "Solange eine Zahlung überfällig ist." in words(answer)
        assert soup(answer).select_one("main form") is None
        assert soup(answer).select_one(f"main a[href='/contracts/{CONTRACT}#payments']")
        assert "Änderung möglich ab" not in words(answer)

    @pytest.mark.parametrize(("ends_on", "told"), [(day(40), True), (day(30), False)])
    async def test_from_when_if_the_contract_lasts_that_long(
        self, made: World, browser: Browser, ends_on: str, told: bool
    ) -> None:
        refusal = {"code": "changed_too_recently", "detail": "Erst kürzlich geändert.", "facts": {}}
        made.answer("GET", "billing", PREVIEW, preview(refusal=refusal, possible_on=day(30)))
        made.answer("GET", "portal", f"/contracts/{CONTRACT}", details(contract=contract(ends_on=ends_on)))
        assert ("Änderung möglich ab" in words(await browser.get(FORM))) == told

    async def test_while_a_change_is_checked(self, made: World, browser: Browser) -> None:
        refusal = {"code": "change_pending", "detail": "Wird noch geprüft.", "facts": {}}
        pending = {"change_id": "x", "amount_cents": 12_050, "effective_from": "2026-12-15", "changed_on": day(0)}
        made.answer("GET", "billing", PREVIEW, preview(refusal=refusal, pending=pending))
        said = words(await browser.get(FORM)).replace("\xa0", " ")
        assert "Ihre letzte Änderung wird noch geprüft" in said
        assert "120,50 €" in said

    async def test_a_contract_that_is_not_his(self, browser: Browser) -> None:
        assert (await browser.get("/contracts/other/instalment")).status_code == 404
        assert (await browser.post("/contracts/other/instalment", {"amount": "95"})).status_code == 404

    async def test_billing_away(self, made: World, browser: Browser) -> None:
        made.away.add("billing")
        answer = await browser.get(FORM)
        assert answer.status_code == 200
        assert "Erdgas Komfort" in words(answer)
        assert soup(answer).select_one("main form") is None


class TestBeginning:
    async def test_an_action_leads_to_its_journey(self, made: World, browser: Browser) -> None:
        made.answer("POST", "portal", "/tickets", {"ticket": "t", "journey_id": "cancel", "expires_at": "x"}, 201)
        made.answer("POST", "journeys", "/submissions", {"submission_id": "s-1"}, 201)
        answer = await browser.post("/actions/cancel", {"entity": "contract", "id": CONTRACT})
        assert (answer.status_code, answer.headers["location"]) == (303, "/journeys/s-1")
        (wanted,) = made.calls_to("POST", "portal", "/tickets")
        assert wanted.body == {"action": "cancel", "record": {"entity": "contract", "id": CONTRACT}}
        (begun,) = made.calls_to("POST", "journeys", "/submissions")
        assert begun.body == {"ticket": "t", "language": "de"}

    async def test_an_action_that_is_not_possible_now(self, made: World, browser: Browser) -> None:
        made.refuse("POST", "portal", "/tickets", 403, "action_not_available")
        answer = await browser.post("/actions/cancel", {"entity": "contract", "id": CONTRACT})
        assert answer.status_code == 403
        assert "Sentence of action_not_available." in words(answer)

    async def test_a_task_leads_to_its_journey(self, made: World, browser: Browser) -> None:
        made.answer("POST", "portal", "/tickets", {"ticket": "t", "journey_id": "proof", "expires_at": "x"}, 201)
        made.answer("POST", "journeys", "/submissions", {"submission_id": "s-2"}, 201)
        answer = await browser.post(f"{TASK}/begin")
        assert answer.headers["location"] == "/journeys/s-2"
        (wanted,) = made.calls_to("POST", "portal", "/tickets")
        assert wanted.body == {"task": {"instance_id": INSTANCE, "step_id": "proof"}}

    @pytest.mark.parametrize(
        ("path", "call"), [("begin", ("portal", "/tickets")), ("done", ("processes", f"{TASK}/done"))]
    )
    async def test_a_task_that_is_refused(
        self, made: World, browser: Browser, path: str, call: tuple[str, str]
    ) -> None:
        made.refuse("POST", *call, 409, "task_not_open")
        answer = await browser.post(f"{TASK}/{path}")
        assert answer.status_code == 409
        assert "Sentence of task_not_open." in words(answer)
        assert "Nachweis einreichen" in words(answer)

    async def test_he_says_that_he_is_done(self, made: World, browser: Browser) -> None:
        made.answer("POST", "processes", f"{TASK}/done", {"instance_id": INSTANCE, "step_id": "proof"})
        answer = await browser.post(f"{TASK}/done")
        assert answer.headers["location"] == TASK
        assert "Danke. Die Aufgabe ist erledigt." in words(await browser.get(TASK))

    async def test_tasks_of_others(self, browser: Browser) -> None:
        for path in ("/tasks/other/step/begin", "/tasks/other/step/done"):
            assert (await browser.post(path)).status_code == 404


class TestNotices:
    async def test_opening_one_marks_it_and_goes_there(self, made: World, browser: Browser) -> None:
        made.answer("POST", "portal", "/notices/n-1/read", status=204)
        form = soup(await browser.get("/notices")).select_one("form[action='/notices/n-1/open']")
        assert form is not None
        to = form.select_one("[name=to]")
        assert to is not None
        answer = await browser.post("/notices/n-1/open", {"to": to["value"]})
        assert answer.headers["location"] == TASK
        assert made.calls_to("POST", "portal", "/notices/n-1/read")

    @pytest.mark.parametrize("to", ["https://evil.example", "//evil.example", ""])
    async def test_nobody_is_led_elsewhere(self, made: World, browser: Browser, to: str) -> None:
        made.answer("POST", "portal", "/notices/n-1/read", status=204)
        answer = await browser.post("/notices/n-1/open", {"to": to})
        assert answer.headers["location"] in {"/", "/notices"}

    async def test_notices_of_others(self, browser: Browser) -> None:
        assert (await browser.post("/notices/other/open", {"to": "/"})).status_code == 404

    async def test_all_at_once(self, made: World, browser: Browser) -> None:
        made.answer("GET", "portal", "/notices", page(notice("n-1"), notice("n-3")))
        for each in ("n-1", "n-3"):
            made.answer("POST", "portal", f"/notices/{each}/read", status=204)
        answer = await browser.post("/notices/read")
        assert answer.headers["location"] == "/notices"
        keys = [call.headers["idempotency-key"] for call in made.calls if call.path.endswith("/read")]
        assert len(set(keys)) == 2
