"""Tasks and processes of all customers, and what staff do with them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.pages.staff_data import BEN, INSTANCE, MARIA, PROCESS, STEP, instance
from tests.gateway.world import STAFF, Browser, World, member, soup, visiting, words

API_STEP = f"/instances/{INSTANCE}/steps/confirm"


async def test_tasks_by_whose_they_are(world: World, clerk: Browser) -> None:
    for whose, name, value in (("metering", "group", "metering"), ("mine", "staff", "s-1")):
        await clerk.get(f"/tasks?whose={whose}&overdue=yes")
        query = world.calls_to("GET", "processes", "/tasks")[-1].query
        assert (query[name], query["overdue"]) == (value, "true")


async def test_a_task_is_done_from_the_list(world: World, clerk: Browser) -> None:
    response = await clerk.get("/tasks?overdue=yes")
    for word in ("Kündigung wird bestätigt", "V-1003", "Ben Krüger", "Überfällig"):
        assert word in words(response)
    form = soup(response).select_one(f"form[action='{STEP}']")
    assert form is not None
    fields = {str(field["name"]): str(field["value"]) for field in form.select("input")}
    world.answer("POST", "processes", f"{API_STEP}/complete", {})
    done = await clerk.post(STEP, {"what": fields["what"], "next": fields["next"]})
    assert done.headers["Location"] == "/tasks?overdue=yes"


async def test_nobody_is_led_elsewhere(world: World, clerk: Browser) -> None:
    world.answer("POST", "processes", f"{API_STEP}/complete", {})
    done = await clerk.post(STEP, {"what": "complete", "next": "//evil.example"})
    assert done.headers["Location"] == "/"


async def test_a_list_or_columns(world: World, clerk: Browser) -> None:
    assert soup(await clerk.get("/processes")).select("tbody tr")
    query = world.calls_to("GET", "processes", "/instances")[-1].query
    assert query["status"] == "open"
    response = await clerk.get("/processes?process=cancellation&view=board")
    lanes = soup(response).select(".lane")
    assert [len(lane.select(".lane-card")) for lane in lanes] == [0, 1]
    await clerk.get("/processes?status=all")
    assert "status" not in world.calls_to("GET", "processes", "/instances")[-1].query


@pytest.mark.parametrize(
    ("what", "fields", "body"),
    [
        ("complete", {}, None),
        ("skip", {"reason": "unnötig"}, {"reason": "unnötig"}),
        ("reopen", {"reason": ""}, {"reason": None}),
        ("assignee", {"assignee": "group:metering"}, {"assignee": {"kind": "group", "group": "metering"}}),
        (
            "assignee",
            {"assignee": f"staff:{MARIA}"},
            {"assignee": {"kind": "staff", "staff_id": MARIA}},
        ),
        (
            "assignee",
            {"assignee": f"contact:customer:{BEN}"},
            {"assignee": {"kind": "contact", "role": "customer", "contact_id": BEN}},
        ),
    ],
)
async def test_what_is_done_with_a_step(
    world: World, clerk: Browser, what: str, fields: dict[str, str], body: Any
) -> None:
    world.answer("POST", "processes", f"{API_STEP}/{what}", {})
    for _ in range(2):
        response = await clerk.post(STEP, {"what": what, **fields})
        assert (response.status_code, response.headers["Location"]) == (303, PROCESS)
    first, second = world.calls_to("POST", "processes", f"{API_STEP}/{what}")
    assert first.body == body
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


async def test_a_process_tells_who_did_what(clerk: Browser) -> None:
    response = await clerk.get(PROCESS)
    for word in ("Angaben prüfen", "Maria Kern", "Überfällig", "Ben Krüger", "Kundenservice"):
        assert word in words(response)
    choices = {option["value"] for option in soup(response).select("select[name=assignee] option")}
    assert {"group:customer_service", f"staff:{MARIA}", f"contact:customer:{BEN}"} <= choices


async def test_a_refusal_is_told_where_it_happened(world: World, clerk: Browser) -> None:
    world.refuse("POST", "processes", f"{API_STEP}/complete", 409, "step_not_active")
    response = await clerk.post(STEP, {"what": "complete"})
    assert response.status_code == 409
    assert "Sentence of step_not_active." in words(response)


async def test_cancelling(world: World, clerk: Browser) -> None:
    world.answer("POST", "processes", f"/instances/{INSTANCE}/cancel", {})
    await clerk.post(f"{PROCESS}/cancel", {"reason": "Irrtum"})
    assert world.calls_to("POST", "processes", f"/instances/{INSTANCE}/cancel")[0].body == {"reason": "Irrtum"}


async def test_operators_may_do_what_clerks_may(world: World) -> None:
    async with visiting(world, STAFF, member("operator")) as operator:
        for path in (PROCESS, "/tasks"):
            assert soup(await operator.get(path)).select("main form[method=post]")


async def test_what_is_over(world: World, clerk: Browser) -> None:
    over = instance(
        status="cancelled", active=None, reason="Irrtum", by=f"staff/{MARIA}", ended_at="2026-11-21T09:00:00Z"
    )
    world.answer("GET", "processes", f"/instances/{INSTANCE}", over)
    response = await clerk.get(PROCESS)
    assert {"Irrtum", "Abgebrochen"} <= set(words(response).split())
    assert not soup(response).select("main form[method=post]")
    assert (await clerk.get("/processes/nothing")).status_code == 404
