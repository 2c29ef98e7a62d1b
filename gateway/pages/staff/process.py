"""`/processes/{id}`: one process step by step, and what staff do with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from chassis.texts import ZONE
from gateway.pages.staff.board import Item, group_options, groups_of, with_records
from gateway.pages.staff.desk import found, may, names_of
from gateway.routing import Pages
from gateway.visit import Refused, Visit, own_path

STEP_ACTIONS = ("complete", "skip", "reopen", "assignee")

pages = Pages("staff")


@pages.get("/processes/{instance_id}")
async def process(visit: Visit) -> Response:
    return await _show(visit)


async def _show(visit: Visit, refused: Refused | None = None) -> Response:
    instance, members, groups = await asyncio.gather(
        visit.get("processes", f"/instances/{_id(visit)}"), found(visit, "identity", "/staff"), groups_of(visit)
    )
    (about,) = await with_records(visit, [instance])
    subjects = [each["by"] for each in instance["steps"]] + [instance["by"], instance["started_by"]]
    subjects += [f"staff/{each['assignee']['staff_id']}" for each in instance["steps"] if _of_staff(each)]
    request = None
    if instance["submission_id"]:
        request = await found(visit, "portal", f"/requests/{instance['submission_id']}")
    return visit.show(
        "staff/process.html",
        refused.status if refused else 200,
        instance=about,
        today=datetime.now(ZONE).date().isoformat(),
        assignees=_assignees(visit, about, members["items"] if members else [], groups),
        names=await names_of(visit, subjects),
        request=request,
        may_act=may(visit, "staff"),
        refused=refused,
    )


def _assignees(
    visit: Visit, instance: Item, members: Sequence[dict[str, Any]], groups: Sequence[str]
) -> list[tuple[str, str]]:
    """Who may be asked to do a step: groups, living members of staff, and the contact that the process is about."""
    named = group_options(visit, groups)
    found = [(f"group:{id_}", visit.say("staff_process.to_group", name=name)) for id_, name in named]
    found += [
        (f"staff:{each['staff_id']}", each["name"] or each["email"] or "")
        for each in members
        if not each["blocked"] and not each["erased"]
    ]
    if whom := instance["whom"]:
        found.append((f"contact:customer:{whom['id']}", visit.say("staff_process.to_customer", name=whom["called"])))
    return found


@pages.post("/processes/{instance_id}/steps/{step_id}")
async def step(visit: Visit) -> Response:
    """Completes, skips, reopens or reassigns a step."""
    what = visit.form["what"]
    if what not in STEP_ACTIONS:
        return visit.not_found()
    path = f"/instances/{_id(visit)}/steps/{quote(visit.path['step_id'], safe='')}/{what}"
    try:
        await visit.post("processes", path, _body(visit, what))
    except Refused as refused:
        if refused.status == 404:
            raise
        return await _show(visit, refused)
    after = own_path(visit.form["next"]) if visit.form["next"] else f"/processes/{_id(visit)}"
    return visit.go(after, said="board.done." + what)


@pages.post("/processes/{instance_id}/cancel")
async def cancel(visit: Visit) -> Response:
    try:
        await visit.post("processes", f"/instances/{_id(visit)}/cancel", {"reason": visit.form["reason"]})
    except Refused as refused:
        return await _show(visit, refused)
    return visit.go(f"/processes/{_id(visit)}", said="board.done.cancel")


def _body(visit: Visit, what: str) -> dict[str, Any] | None:
    match what:
        case "skip":
            return {"reason": visit.form["reason"]}
        case "reopen":
            return {"reason": visit.form["reason"] or None}
        case "assignee":
            kind, _, id_ = visit.form["assignee"].partition(":")
            if kind == "contact":
                role, _, contact_id = id_.partition(":")
                return {"assignee": {"kind": "contact", "role": role, "contact_id": contact_id}}
            return {"assignee": {"kind": kind, "staff_id" if kind == "staff" else "group": id_}}
    return None


def _id(visit: Visit) -> str:
    return quote(visit.path["instance_id"], safe="")


def _of_staff(step: dict[str, Any]) -> bool:
    return bool(step["assignee"]) and step["assignee"]["kind"] == "staff"
