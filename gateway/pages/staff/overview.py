"""`/`: what waits for staff, and for the groups of whoever looks."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import Response

from gateway.pages.staff.board import with_records
from gateway.pages.staff.desk import found
from gateway.routing import Pages
from gateway.visit import Away, Refused, Visit

SHOWN = 6
MOST_GROUPS = 6
Task = dict[str, Any]

pages = Pages("staff")


@pages.get("/")
async def overview(visit: Visit) -> Response:
    parts = await visit.together(
        counts=found(visit, "portal", "/staff/overview"),
        mine=_tasks_of_mine(visit),
        overdue=visit.get("processes", "/tasks", overdue="true", limit=SHOWN),
        notices=found(visit, "portal", "/notices", unread="true", limit=SHOWN),
        waiting=visit.get("identity", "/users", assignment="pending", registration="registered", limit=SHOWN),
        failures=found(visit, "portal", "/staff/failures", limit=SHOWN),
    )
    mine = parts.mine if isinstance(parts.mine, list) else []
    tasks, notices = await asyncio.gather(with_records(visit, mine[:SHOWN]), _with_records(visit, parts.notices))
    return visit.show("staff/overview.html", beside=parts, tasks=tasks, notices=notices, more=len(mine) > SHOWN)


@pages.post("/notices/{notice_id}/read")
async def read_notice(visit: Visit) -> Response:
    await visit.post("portal", f"/notices/{visit.path['notice_id']}/read")
    return visit.go("/", said="overview.notice_read")


async def _with_records(visit: Visit, page: Any) -> list[dict[str, Any]] | None:
    """Notices with the records that they are about; None where there is no page of them, or none can be read now."""
    if not page:
        return None
    records = [{**each, "record": each["target"].get("record")} for each in page["items"]]
    try:
        named = iter(await with_records(visit, [each for each in records if each["record"]]))
    except (Away, Refused):
        return [{**each, "about": None, "whom": None} for each in records]
    return [next(named) if each["record"] else {**each, "about": None, "whom": None} for each in records]


async def _tasks_of_mine(visit: Visit) -> list[Task]:
    """Tasks of one's groups and one's own, what is due first at the top. Raises Away."""
    assert visit.who is not None  # noqa: S101 these pages are for those who are signed in
    groups = (visit.who.groups or [])[:MOST_GROUPS]
    wanted = [{"group": each} for each in groups] + [{"staff": visit.who.subject.partition("/")[2]}]
    found_pages = await asyncio.gather(*(visit.get("processes", "/tasks", **each, limit=SHOWN + 1) for each in wanted))
    tasks: list[Task] = [task for page in found_pages for task in page["items"]]
    return sorted(tasks, key=lambda task: (task["due_on"] or "9999", task["activated_at"] or ""))
