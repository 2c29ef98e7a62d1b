"""What a customer sees of requests, tasks and processes, and how he gets his files."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.gateway.pages.customer_data import (
    FILE,
    INSTANCE,
    SUBMISSION,
    day,
    effect,
    page,
    process,
    request,
    shown,
    step,
    task,
    world,
)
from tests.gateway.world import soup, words


async def test_each_effect_and_its_outcome() -> None:
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
async def test_it_is_not_done_while_its_process_runs(status: str, chip: str) -> None:
    made = world()
    sent = request("done", effect("start_process", "done", "Der Vorgang hat begonnen.", instance_id=INSTANCE))
    made.answer("GET", "portal", f"/requests/{SUBMISSION}", sent)
    made.answer("GET", "portal", "/requests", page(sent))
    made.answer("GET", "portal", "/processes", page(*[process()] if status == "open" else []))
    for path in (f"/requests/{SUBMISSION}", "/requests"):
        chips = [each.get_text(strip=True) for each in soup(await shown(made, path)).select("main .chip")]
        assert chips == [chip]


@pytest.mark.parametrize(("status", "live"), [("under_way", True), ("done", False), ("failed", False)])
async def test_it_is_live_while_something_is_under_way(status: str, live: bool) -> None:
    made = world()
    made.answer("GET", "portal", f"/requests/{SUBMISSION}", request(status))
    found = soup(await shown(made, f"/requests/{SUBMISSION}")).select_one("#request")
    assert found is not None
    assert found.has_attr("data-live") == live


async def test_a_request_without_journeys() -> None:
    made = world()
    made.away.add("journeys")
    answer = await shown(made, f"/requests/{SUBMISSION}")
    assert answer.status_code == 200
    assert "Ihre Angaben sind bei uns angekommen." in words(answer)


async def test_documents_have_the_names_of_their_files() -> None:
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
async def test_a_task(found: dict[str, Any], sentence: str, buttons: list[str]) -> None:
    made = world()
    made.answer("GET", "portal", f"/tasks/{INSTANCE}/proof", {"task": found, "process": process()})
    answer = await shown(made, f"/tasks/{INSTANCE}/proof")
    assert sentence in words(answer)
    forms = soup(answer).select(f"main form[action^='/tasks/{INSTANCE}/proof/']")
    assert [str(form["action"]).rpartition("/")[2] for form in forms] == buttons


async def test_a_task_that_is_done_says_when_and_no_longer_until_when() -> None:
    made = world()
    over = process("completed", steps=[step("proof", "Nachweis einreichen", "done", done_at="2026-11-12T09:30:00Z")])
    made.answer("GET", "portal", f"/tasks/{INSTANCE}/proof", {"task": task("done"), "process": over})
    said = words(await shown(made, f"/tasks/{INSTANCE}/proof"))
    assert "Erledigt am 12.11.2026" in said
    assert "Bitte erledigen bis" not in said


@pytest.mark.parametrize("status", ["open", "completed", "cancelled"])
async def test_a_process(status: str) -> None:
    made = world()
    made.answer("GET", "portal", f"/processes/{INSTANCE}", process(status))
    answer = await shown(made, f"/processes/{INSTANCE}")
    assert bool(soup(answer).select("#process[data-live]")) == (status == "open")
    assert "Wir prüfen" in words(answer)


async def test_a_file_is_downloaded_and_never_shown() -> None:
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
async def test_whatever_the_api_says_it_is_an_attachment(named: str) -> None:
    made = world()
    headers = {"Content-Type": "image/svg+xml", "Content-Disposition": named}
    made.answers["GET", "journeys", f"/files/{FILE}"] = httpx.Response(200, content=b"<svg/>", headers=headers)
    assert (await shown(made, f"/documents/{FILE}")).headers["content-disposition"] == "attachment"


async def test_a_foreign_file() -> None:
    assert (await shown(world(), "/documents/somebody-elses")).status_code == 404
