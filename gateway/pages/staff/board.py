"""`/tasks` and `/processes`: what waits for whom, and what runs, by step, group, status and date."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from starlette.responses import Response

from chassis.texts import ZONE
from gateway.pages.staff.desk import here_with, may, names_of, pages_around
from gateway.pages.staff.records import Record, find_shape, records_by_id
from gateway.routing import Pages
from gateway.visit import Visit

PAGE = 50
MOST_ON_BOARD = 200
STATUSES = ("open", "completed", "cancelled")
TABS = (*STATUSES, "all")
MINE = "mine"
Item = dict[str, Any]

pages = Pages("staff")


@pages.get("/tasks")
async def tasks(visit: Visit) -> Response:
    """Steps that wait for somebody: for everybody, for a group, for oneself; all, or those that are late."""
    whose, query = visit.query.get("whose", ""), visit.query
    asked = {"overdue": "true" if query.get("overdue") else "", "cursor": query.get("cursor", ""), "limit": PAGE}
    if whose == MINE:
        asked["staff"] = _own_id(visit)
    elif whose:
        asked["group"] = whose
    page, groups = await asyncio.gather(visit.get("processes", "/tasks", **asked), groups_of(visit))
    items = await with_records(visit, page["items"])
    subjects = [f"staff/{each['assignee']['staff_id']}" for each in items if _kind(each) == "staff"]
    return visit.show(
        "staff/tasks.html",
        items=items,
        group_options=[(MINE, visit.say("staff_task.mine")), *group_options(visit, groups)],
        names=await names_of(visit, subjects),
        may_act=may(visit, "staff"),
        around=pages_around(visit, page["next"], "cursor"),
        whose=whose,
    )


@pages.get("/processes")
async def processes(visit: Visit) -> Response:
    """Processes as a list, or those of one kind as columns, one a step."""
    status = visit.query.get("status", "open")
    process, group = visit.query.get("process", ""), visit.query.get("group", "")
    as_board = visit.query.get("view") == "board" and bool(process) and status == "open"
    asked = {
        "process": process,
        "group": group,
        "status": status if status in STATUSES else "",
        "limit": MOST_ON_BOARD if as_board else PAGE,
        "cursor": visit.query.get("cursor", ""),
    }
    page, known, groups = await asyncio.gather(
        visit.get("processes", "/instances", **asked), visit.get("processes", "/definitions"), groups_of(visit)
    )
    items = await with_records(visit, page["items"])
    return visit.show(
        "staff/processes.html",
        items=items,
        columns=_columns(items) if as_board else [],
        as_board=as_board,
        process_options=[
            (each["process"], each["title"].get(visit.language) or each["process"]) for each in known["items"]
        ],
        group_options=group_options(visit, groups),
        tabs=[(each, visit.say("board.tab." + each), here_with(visit, status=each, cursor=None)) for each in TABS],
        today=datetime.now(ZONE).date().isoformat(),
        wanted=status,
        names=await names_of(visit, _staff_of(items)),
        around=pages_around(visit, page["next"], "cursor"),
    )


async def groups_of(visit: Visit) -> Sequence[str]:
    """The groups that members of staff and steps of processes name."""
    parts = await visit.together(
        staff=visit.get("identity", "/staff"), definitions=visit.get("processes", "/definitions")
    )
    members = parts.staff["items"] if parts.staff else []
    steps = [step for each in parts.definitions["items"] for step in each["steps"]] if parts.definitions else []
    named = {group for member in members for group in member["groups"]}
    named |= {assign["group"] for step in steps if isinstance(assign := step.get("assign"), dict) and "group" in assign}
    return sorted(named)


def group_options(visit: Visit, groups: Iterable[str]) -> list[tuple[str, str]]:
    """Groups with their names as people write them, as the macro `group` of parts.html does."""
    named = {"customer_service": visit.say("group.customer_service")}
    return [(each, named.get(each) or each.replace("_", " ").capitalize()) for each in groups]


async def with_records(visit: Visit, items: Iterable[Item]) -> list[Item]:
    """Tasks or processes with the records that they are about, and the contacts of those."""
    listed = list(items)
    ids: dict[str, set[str]] = {}
    for item in listed:
        ids.setdefault(item["record"]["entity"], set()).add(item["record"]["id"])
        if item.get("contact_id"):
            ids.setdefault("contact", set()).add(item["contact_id"])
        assignee = item.get("assignee") or (item.get("active") or {}).get("assignee") or {}
        if assignee.get("contact_id"):
            ids.setdefault("contact", set()).add(assignee["contact_id"])
    records = await _records(visit, ids)
    holders = {id_ for record in records.values() for id_ in record["relations"].get("holder", ())}
    contacts = await _records(visit, {"contact": holders - records.keys()})
    there = records | contacts
    return [
        {**item, "about": there.get(item["record"]["id"]), "whom": _whom(item, there), "there": there}
        for item in listed
    ]


async def _records(visit: Visit, ids: Mapping[str, set[str]]) -> dict[str, Record]:
    async def of(entity: str, wanted: set[str]) -> dict[str, Record]:
        return await records_by_id(visit, await find_shape(visit, entity), wanted) if wanted else {}

    found = await asyncio.gather(*(of(entity, wanted) for entity, wanted in ids.items()))
    return {id_: record for each in found for id_, record in each.items()}


def _whom(item: Item, there: Mapping[str, Record]) -> Record | None:
    """The contact that a task or process concerns."""
    record = there.get(item["record"]["id"])
    holder = next(iter(record["relations"].get("holder", ())), None) if record else None
    found = there.get(item.get("contact_id") or holder or "")
    return found if found and found is not record else None


def _columns(items: Sequence[Item]) -> list[dict[str, Any]]:
    """The steps of the newest version, each with the processes that stand there."""
    newest = max(items, key=lambda item: item["process_version"], default=None)
    if newest is None:
        return []
    columns = {step["plan"]["id"]: {"title": step["plan"]["title"], "items": []} for step in newest["steps"]}
    for item in items:
        if item["active"] is not None:
            plan = item["active"]["plan"]
            columns.setdefault(plan["id"], {"title": plan["title"], "items": []})["items"].append(item)
    return list(columns.values())


def _staff_of(items: Iterable[Item]) -> list[str]:
    actives = [item["active"] for item in items if item["active"]]
    return [f"staff/{each['assignee']['staff_id']}" for each in actives if _kind(each) == "staff"]


def _kind(item: Item) -> str | None:
    return item["assignee"]["kind"] if item["assignee"] else None


def _own_id(visit: Visit) -> str:
    return str(visit.who.subject).partition("/")[2] if visit.who else ""
