"""What the pages of staff share: who may do what, what those who did something are called, addresses with filters."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from gateway.visit import Away, Refused, Visit

MOST_NAMED = 12
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for a formula when a cell begins with it."""
BYTE_ORDER_MARK = "\ufeff"
Names = Mapping[str, str]


def may(visit: Visit, role: str) -> bool:
    """Whether somebody may do what is for a role, as far as his session tells: operators may all. The APIs decide."""
    return visit.who is not None and visit.who.role in {role, "operator"}


def here_with(visit: Visit, **changes: str | None) -> str:
    """The address of this page with other filters; None takes one away."""
    kept = [(name, value) for name, value in visit.request.query_params.multi_items() if name not in changes and value]
    added = [(name, value) for name, value in changes.items() if value]
    query = urlencode(kept + added)
    path = visit.request.url.path
    return f"{path}?{query}" if query else path


def pages_around(visit: Visit, after: str | None, name: str = "after") -> dict[str, str | None]:
    """The addresses of the page after this one, and of the first one where this is another."""
    return {
        "next": here_with(visit, **{name: str(after)}) if after else None,
        "first": here_with(visit, **{name: None}) if visit.query.get(name) else None,
    }


async def names_of(visit: Visit, subjects: Iterable[str | None]) -> Names:
    """What members of staff and portal users are called, by their subjects; those who cannot be asked are left out."""
    wanted = {each for each in subjects if each}
    users = sorted(each for each in wanted if each.startswith("user/"))[:MOST_NAMED]
    members = _staff(visit) if any(each.startswith("staff/") for each in wanted) else _nobody()
    found = await asyncio.gather(members, *(_user(visit, each) for each in users))
    return {subject: name for names in found for subject, name in names.items()}


async def _nobody() -> Names:
    return {}


async def _staff(visit: Visit) -> Names:
    try:
        page = await visit.get("identity", "/staff")
    except (Refused, Away):
        return {}
    return {f"staff/{each['staff_id']}": each["name"] or each["email"] or "" for each in page["items"]}


async def _user(visit: Visit, subject: str) -> Names:
    try:
        user = await visit.get("identity", f"/users/{subject.partition('/')[2]}")
    except (Refused, Away):
        return {}
    return {subject: user["name"] or user["email"] or ""}


async def found(visit: Visit, service: str, path: str, **query: Any) -> Any:
    """What an API answers, None where there is nothing or where somebody may not see it."""
    try:
        return await visit.get(service, path, **query)
    except Refused as refused:
        if refused.status in {403, 404}:
            return None
        raise


def portal_options(visit: Visit, portals: Any) -> list[tuple[str, str]]:
    """Portals to choose from; none while they cannot be asked for."""
    items = portals["items"] if portals else []
    return [(each["portal"], each["name"].get(visit.language) or each["portal"]) for each in items]


def csv_file(name: str, rows: Iterable[Sequence[object]]) -> Response:
    """A file that spreadsheets open rightly: semicolons, and nothing that they take for a formula."""
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows([[_cell(each) for each in row] for row in rows])
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(BYTE_ORDER_MARK + text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
