"""A journey in the browser: kept while it is typed, checked step by step, sent once, and never lost."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from contracts.journeys import RecordRef
from tests.gateway.journey_api import ID, SECRET, JourneyApi, for_everybody
from tests.gateway.world import Browser, World, soup, user, visiting, words

HERE = f"/journeys/{ID}"
DOCUMENT = """
journey: moving
title: {de: Umzug, en: Moving}
steps:
  - id: reason
    title: {de: 'Warum?', en: 'Why?'}
    fields:
      reason: {type: choice, required: true, options: {moving: {de: Umzug, en: Moving}, price: {de: Preis, en: Price}}}
      city: {type: text, required: true, label: {de: 'Wohin?', en: 'Where to?'}, when: [{answers.reason: {is: moving}}]}
      note: {type: longtext, label: {de: 'Noch etwas?', en: 'Anything else?'}, when: [{answers.reason: {is: price}}]}
  - id: figures
    title: {de: Zahlen, en: Figures}
    fields:
      amount: {type: money, required: true, min_cents: 1000, label: {de: Betrag, en: Amount}}
      people: {type: integer, label: {de: Menschen, en: People}}
      proof: {type: files, max: 2, accept: [pdf], label: {de: Nachweis, en: Proof}}
submit: {de: jetzt umziehen, en: move now}
confirmation: {de: Gute Reise., en: Safe travels.}
"""
PDF = b"%PDF-1.4 something"


def asked(response: httpx.Response) -> str:
    field = soup(response).select_one("input[name=asked]")
    assert field is not None
    return str(field["value"])


def kept(call_body: Any) -> tuple[dict[str, Any], bool]:
    return call_body["answers"], call_body["as_typed"]


async def answer(browser: Browser, step: str, asked: str, base: str = HERE, **fields: Any) -> httpx.Response:
    files = fields.pop("files", None)
    sent = {
        "asked": asked,
        **{name if name in {"do", "to", "remove"} else f"q.{name}": v for name, v in fields.items()},
    }
    return await browser.post(f"{base}/steps/{step}", sent, **({"files": files} if files else {}))


async def told(browser: Browser, response: httpx.Response) -> httpx.Response:
    """The page to which a form led that was not right: one to which the back button can return."""
    assert response.status_code == 303
    return await browser.get(response.headers["location"])


async def test_a_journey_is_gone_through_step_by_step() -> None:
    world = World()
    api = JourneyApi.of(world, DOCUMENT)
    async with visiting(world, owner=user()) as browser:
        begun = await browser.get(HERE)
        assert begun.headers["location"] == f"{HERE}/steps/reason"
        step = await browser.get(f"{HERE}/steps/reason")
        assert (asked(step), "Schritt 1 von 3" in words(step)) == ("reason", True)
        more = await told(browser, await answer(browser, "reason", "reason", reason="moving"))
        assert (more.status_code, asked(more)) == (200, "reason,city")
        assert "neuen Fragen" in words(more)
        assert soup(more).select(".mistake") == []
        on = await answer(browser, "reason", "reason,city", reason="moving", city="Ortrand")
        assert on.headers["location"] == f"{HERE}/steps/figures"
        end = await answer(browser, "figures", "amount,people,proof", amount="1.234,50 €", people="3")
        assert end.headers["location"] == f"{HERE}/check"
        check = await browser.get(f"{HERE}/check")
        assert api.draft.answers == {"reason": "moving", "city": "Ortrand", "amount": 123450, "people": 3}
        assert "1.234,50" in words(check)
        assert "nicht beantwortet" in words(check)
        (titled,) = soup(check).select("dt.unseen")
        assert titled.get_text() == "Warum?", "a label that says what its card is called is not shown twice"
        assert soup(check).select_one("form#send button").get_text(strip=True) == "jetzt umziehen"  # type: ignore[union-attr]  # it is there
        changes = [str(link["href"]) for link in soup(check).select(".summary-change a")]
        assert changes == [f"{HERE}/steps/reason?to=check", f"{HERE}/steps/figures?to=check"]
        back = await answer(browser, "reason", "reason,city", reason="moving", city="Tettau", to="check")
        assert back.headers["location"] == f"{HERE}/check"


async def test_an_optional_question_that_follows_is_asked_before_it_goes_on() -> None:
    world = World()
    JourneyApi.of(world, DOCUMENT)
    async with visiting(world, owner=user()) as browser:
        more = await told(browser, await answer(browser, "reason", "reason", reason="price"))
        assert (more.status_code, asked(more)) == (200, "reason,note")
        on = await answer(browser, "reason", "reason,note", reason="price")
        assert on.headers["location"] == f"{HERE}/steps/figures"


async def test_mistakes_stand_at_their_fields_and_what_was_typed_stays() -> None:
    world = World()
    api = JourneyApi.of(world, DOCUMENT)
    async with visiting(world, owner=user()) as browser:
        sent = await answer(browser, "figures", "amount,people,proof", amount="vier", people="drei")
        wrong = await told(browser, sent)
        page = soup(wrong)
        links = [(str(link["href"]), link.get_text()) for link in page.select(".errors a")]
        assert links[0] == ("#f-q.amount", "Betrag: Bitte geben Sie einen Betrag an, z. B. 12,50.")
        assert [str(page.select_one(f"[name='q.{name}']")["value"]) for name in ("amount", "people")] == [
            "vier",
            "drei",
        ]  # type: ignore[index]  # they are there
        assert api.draft.answers == {"amount": "vier", "people": "drei"}
        again = await browser.get(f"{HERE}/steps/figures")
        assert 'value="vier"' in again.text
        assert soup(again).select(".errors") == []


async def test_going_back_and_leaving_keep_what_is_unfinished() -> None:
    world = World()
    api = JourneyApi.of(world, DOCUMENT)
    async with visiting(world, owner=user()) as browser:
        back = await answer(browser, "figures", "amount,people,proof", amount="1", do="back")
        assert back.headers["location"] == f"{HERE}/steps/reason"
        assert (api.draft.answers, api.draft.done) == ({"amount": 100}, ())
        left = await answer(browser, "figures", "amount,people,proof", amount="2", do="leave")
        assert left.headers["location"] == "/journeys"
        assert api.draft.answers == {"amount": 200}
        first = await answer(browser, "reason", "reason", do="back")
        assert first.headers["location"] == "/"


async def test_scripts_keep_what_is_typed_and_get_the_questions_that_follow() -> None:
    world = World()
    api = JourneyApi.of(world, DOCUMENT)
    async with visiting(world, owner=user()) as browser:
        typed = await browser.post(f"{HERE}/steps/reason/typed", {"asked": "reason", "q.reason": "moving"})
        assert (typed.status_code, asked(typed)) == (200, "reason,city")
        assert (api.draft.answers, api.draft.done) == ({"reason": "moving"}, ())


async def test_files_come_with_the_form_and_one_that_is_refused_is_told() -> None:
    world = World()
    api = JourneyApi.of(world, DOCUMENT)
    files = [("q.proof", ("beleg.pdf", PDF)), ("q.proof", ("böse.exe", b"MZ"))]
    async with visiting(world, owner=user()) as browser:
        sent = await answer(browser, "figures", "amount,people,proof", amount="20", files=files)
        wrong = await told(browser, sent)
        assert "böse.exe: Diese Art geht nicht." in words(wrong)
        assert "beleg.pdf" in words(wrong)
        again = await answer(browser, "figures", "amount,people,proof", amount="20", files=files[:1])
        assert again.headers["location"] == f"{HERE}/steps/reason"
        assert len(api.files) == 1
        world.answer("DELETE", "journeys", f"/submissions/{ID}/files/{api.files[0].file_id}", status=204)
        removed = await answer(browser, "figures", "amount,people,proof", amount="30", remove=api.files[0].file_id)
        assert removed.headers["location"] == f"{HERE}/steps/figures"
        assert api.draft.answers["amount"] == 3000
        assert len(world.calls_to("DELETE", "journeys", f"/submissions/{ID}/files/{api.files[0].file_id}")) == 1


async def test_an_upload_that_is_tried_again_is_there_once() -> None:
    world = World()
    api = JourneyApi.of(world, DOCUMENT)
    async with visiting(world, owner=user()) as browser:
        for _ in range(2):
            fields = {"upload_id": "upload-1", "asked": "amount,people,proof"}
            sent = await browser.post(f"{HERE}/steps/figures/files", fields, files={"q.proof": ("beleg.pdf", PDF)})
            assert (sent.status_code, "beleg.pdf" in words(sent)) == (200, True)
        assert [file.upload_id for file in api.files] == ["upload-1"]
        refused = await browser.post(
            f"{HERE}/steps/figures/files", {"upload_id": "upload-2"}, files={"q.proof": ("x.exe", b"MZ")}
        )
        assert (refused.status_code, len(soup(refused).select("#files-q\\.proof .mistake"))) == (422, 1)


async def ready(browser: Browser) -> None:
    await answer(browser, "reason", "reason,city", reason="moving", city="Ortrand")
    await answer(browser, "figures", "amount,people,proof", amount="20")


async def test_it_is_sent_once_and_says_what_happens_next() -> None:
    world = World()
    api = JourneyApi.of(world, DOCUMENT, context=RecordRef(entity="contract", id="v-1"))
    effects = [{"kind": "mail", "template": "receipt"}, {"kind": "start_process", "process": "p", "record": {}}]
    summary = [
        {"step": "reason", "field": "city", "label": {"de": "Wohin?", "en": "Where?"}, "value": "O", "text": "O."}
    ]
    content = {"summary": summary, "submitted_at": "2026-11-22T09:00:00Z", "effects": effects}
    world.answer("GET", "journeys", f"/submissions/{ID}/content", content)
    async with visiting(world, owner=user()) as browser:
        await ready(browser)
        for _ in range(2):
            sent = await browser.post(f"{HERE}/sent")
            assert (sent.status_code, sent.headers["location"]) == (303, f"{HERE}/sent")
        calls = world.calls_to("POST", "journeys", f"/submissions/{ID}/submit")
        assert len({call.headers["Idempotency-Key"] for call in calls}) == 1
        page = await browser.get(f"{HERE}/sent")
        for said in ("7K3F-9QXM", "Gute Reise.", "E-Mail", "Schritt", "22.11.2026"):
            assert said in words(page)
        assert soup(page).select_one(f"a[href='/requests/{ID}']")
        assert (await browser.get(f"{HERE}/steps/reason")).headers["location"] == f"{HERE}/sent"
        assert (await browser.get(f"{HERE}/check")).headers["location"] == f"{HERE}/sent"
        form = soup(page).select_one("input[name=receipt]")
        assert form is not None
        receipt = await browser.post(f"{HERE}/receipt", {"receipt": form["value"]})
        assert "7K3F-9QXM" in receipt.text
        assert "Wohin?:\nO." in receipt.text
        assert receipt.headers["content-disposition"].startswith("attachment")
    assert api.draft.submitted_at


async def test_a_rule_that_hides_the_action_by_now_tells_its_reason() -> None:
    world = World()
    api = JourneyApi.of(world, DOCUMENT, action="cancel", context=RecordRef(entity="contract", id="v-1"))
    api.refuse = (409, {"code": "rule_not_met", "detail": "Das ist jetzt nicht mehr möglich."})
    world.refuse("POST", "portal", "/tickets", 403, "forbidden_action", detail="Status muss „Aktiv“ sein.")
    async with visiting(world, owner=user()) as browser:
        await ready(browser)
        refused = await browser.post(f"{HERE}/sent")
        assert refused.status_code == 409
        assert "Das ist jetzt nicht mehr möglich." in words(refused)
        assert "Status muss „Aktiv“ sein." in words(refused)
        assert soup(refused).select_one("a[href='/contracts/v-1']")


async def test_answers_that_became_wrong_lead_to_their_step() -> None:
    world = World()
    api = JourneyApi.of(world, DOCUMENT)
    api.refuse = (422, {"code": "invalid_answers", "mistakes": [], "steps": ["figures"]})
    async with visiting(world, owner=user()) as browser:
        await ready(browser)
        assert (await browser.post(f"{HERE}/sent")).headers["location"] == f"{HERE}/steps/figures"


async def test_the_earliest_end_of_a_contract_is_shown_with_its_reason() -> None:
    world = World()
    step = "  - {id: date, title: {de: 'Wann?', en: 'When?'}, fields: {ends_on: {type: cancellation_date}}}\n"
    JourneyApi.of(
        world,
        "journey: c\ntitle: {de: K, en: C}\ncontext: contract\nsteps:\n" + step,
        context=RecordRef(entity="contract", id="v-1"),
    )
    ending = {"ends_on": "2026-12-22", "basis": "law", "notice": "P1M", "explanation": "Die Frist ist ein Monat."}
    world.answer(
        "GET",
        "billing",
        "/contracts/v-1/cancellation-preview",
        {"next_possible": ending, "wished": None, "refusal": None},
    )
    async with visiting(world, owner=user()) as browser:
        page = await browser.get(f"{HERE}/steps/date")
        assert "22. Dezember 2026" in words(page)
        assert "Die Frist ist ein Monat." in words(page)
        world.away = {"billing", "portal"}
        assert (await browser.get(f"{HERE}/steps/date")).status_code == 200
        world.away = set()
        await answer(browser, "date", "ends_on")
        assert "so früh wie möglich" in words(await browser.get(f"{HERE}/check"))


async def test_a_session_that_is_over_keeps_the_answers() -> None:
    world = World()
    JourneyApi.of(world, DOCUMENT)
    async with visiting(world, owner=user()) as browser:
        world.refuse("PUT", "journeys", f"/submissions/{ID}/steps/reason", 401, "session_ended")
        over = await answer(browser, "reason", "reason,city", reason="moving", city="Ortrand")
        assert over.status_code == 401
        assert str(soup(over).select_one("input[name=kept]")["value"])  # type: ignore[index]  # it is there
        world.answer("POST", "identity", "/portals/customers/sessions", {"status": "ready", "session": "the-session"})
        JourneyApi.of(world, DOCUMENT)
        fields = {each["name"]: each["value"] for each in soup(over).select("form#sign-in input[type=hidden]")}
        back = await browser.http.post("/sign-in", data={**fields, "email": "a@example.org", "password": "x"})
        hidden = {each["name"]: each["value"] for each in soup(back).select("form#kept input[type=hidden]")}
        assert (hidden["q.city"], hidden["asked"]) == ("Ortrand", "reason,city")
        again = await browser.http.post(f"{HERE}/steps/reason", data=hidden)
        assert again.headers["location"] == f"{HERE}/steps/figures"


async def test_what_was_begun_is_found_again() -> None:
    world = World()
    draft = {"submission_id": ID, "journey": "moving", "title": {"de": "Umzug", "en": "Moving"}, "task": None}
    times = {"changed_at": "2026-11-22T09:00:00Z", "expires_at": "2026-12-22T09:00:00Z"}
    world.answer(
        "GET", "journeys", "/drafts", {"items": [{**draft, **times, "context": {"entity": "contract", "id": "v"}}]}
    )
    async with visiting(world, owner=user()) as browser:
        page = await browser.get("/journeys")
        assert soup(page).select_one(f"a[href='{HERE}']")
        assert "22. Dezember 2026" in words(page)


async def test_somebody_elses_submission_does_not_exist() -> None:
    async with visiting(World(), owner=user()) as browser:
        for path in ("", "/steps/reason", "/check", "/sent"):
            assert (await browser.get(HERE + path)).status_code == 404
        assert (await answer(browser, "reason", "reason", reason="moving")).status_code == 404
        assert (await browser.http.post(f"{HERE}/sent")).status_code == 403


async def test_journeys_need_somebody_who_is_signed_in() -> None:
    async with visiting(World()) as browser:
        assert (await browser.get(HERE)).headers["location"] == f"/sign-in?next={HERE}"


@pytest.fixture
def public() -> tuple[World, JourneyApi]:
    world, api = for_everybody(DOCUMENT)
    form = {"journey": "inside", "version": 1, "title": {"de": "Umzug", "en": "Moving"}, "description": None}
    world.answer("GET", "journeys", "/journeys/inside/form", {**form, "access": "portal", "context": None, "steps": []})
    return world, api


async def test_a_public_journey_begins_with_a_press_and_is_this_browsers_alone(
    public: tuple[World, JourneyApi],
) -> None:
    world, _ = public
    base = f"/j/moving/{ID}"
    async with visiting(world) as browser:
        assert (await browser.get("/j/inside")).status_code == 404
        assert (await browser.get(base)).status_code == 404
        start = await browser.get("/j/moving")
        assert (start.status_code, world.calls_to("POST", "journeys", "/submissions")) == (200, [])
        begun = await browser.post("/j/moving")
        assert begun.headers["location"] == base
        assert SECRET not in begun.headers["set-cookie"]
        await answer(browser, "reason", "reason,city", base, reason="moving", city="Ortrand")
        (put,) = world.calls_to("PUT", "journeys", f"/submissions/{ID}/steps/reason")
        assert (put.headers["Portico-Draft"], put.headers["Authorization"]) == (SECRET, "Bearer own")
        await answer(browser, "figures", "amount,people,proof", base, amount="20")
        sent = await browser.post(f"{base}/sent")
        assert (sent.status_code, "Ortrand" in words(sent), "7K3F-9QXM" in words(sent)) == (200, True, True)
        assert "requests" not in sent.text
        again = await browser.get(f"{base}/sent")
        assert ("7K3F-9QXM" in words(again), "Ortrand" in words(again)) == (True, False)


async def test_who_is_signed_in_goes_on_as_himself(public: tuple[World, JourneyApi]) -> None:
    world, _ = public
    async with visiting(world, owner=user()) as browser:
        assert (await browser.post("/j/moving")).headers["location"] == HERE
        (call,) = world.calls_to("POST", "journeys", "/submissions")
        assert call.headers["Authorization"] == "Bearer hers"
        assert call.body == {"journey_id": "moving", "portal_id": "customers", "language": "de"}


async def test_an_embedded_journey_may_be_framed_by_those_whom_the_portal_names(
    public: tuple[World, JourneyApi],
) -> None:
    world, _ = public
    async with visiting(world) as browser:
        start = await browser.get("/embed/j/moving")
        assert "frame-ancestors https://www.example.org" in start.headers["content-security-policy"]
        assert "x-frame-options" not in start.headers
        cookies = start.headers["set-cookie"]
        assert re.search(r"__Host-embedded-visitor=.*SameSite=None; Partitioned", cookies)
        proof = soup(start).select_one("input[name=proof]")
        assert proof is not None
        begun = await browser.http.post("/embed/j/moving", data={"proof": proof["value"]})
        assert begun.headers["location"] == f"/embed/j/moving/{ID}"
        step = await browser.get(f"/embed/j/moving/{ID}/steps/reason")
        assert (step.status_code, asked(step)) == (200, "reason")
        assert (await browser.get(f"/j/moving/{ID}/steps/reason")).status_code == 404
        outside = await browser.get("/j/moving")
        assert "frame-ancestors 'none'" in outside.headers["content-security-policy"]
