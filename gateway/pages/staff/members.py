"""`/members`: who is staff, in which groups and with which roles. Operators change it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from gateway.pages.staff.board import groups_of
from gateway.pages.staff.desk import may
from gateway.routing import Pages
from gateway.visit import Refused, Visit

ROLES = ("staff", "operator")
SEPARATORS = re.compile(r"[,;\s]+")

pages = Pages("staff")


@pages.get("/members")
async def members(visit: Visit) -> Response:
    page = await visit.get("identity", "/staff")
    items = sorted(page["items"], key=lambda each: (each["erased"], each["blocked"], (each["name"] or "~").casefold()))
    return visit.show("staff/members.html", items=items, may_change=may(visit, "operator"))


@pages.get("/members/new")
async def new(visit: Visit) -> Response:
    return await _show_new(visit)


async def _show_new(visit: Visit, refused: Refused | None = None) -> Response:
    return visit.show(
        "staff/member_new.html",
        refused.status if refused else 200,
        groups=await groups_of(visit),
        roles=ROLES,
        refused=refused,
    )


@pages.post("/members/new")
async def register(visit: Visit) -> Response:
    wanted = {"email": visit.form["email"], "name": visit.form["name"], "language": visit.form["language"] or "de"}
    try:
        made = await visit.post("identity", "/staff", {**wanted, **_rights(visit)})
    except Refused as refused:
        return await _show_new(visit, refused)
    return _show_link(visit, visit.form["name"], made["token"], made["token_expires_at"])


@pages.get("/members/{staff_id}")
async def member(visit: Visit) -> Response:
    return await _show(visit)


async def _show(visit: Visit, refused: Refused | None = None) -> Response:
    found = await _find(visit)
    if found is None:
        return visit.not_found()
    return visit.show(
        "staff/member.html",
        refused.status if refused else 200,
        member=found,
        groups=sorted({*await groups_of(visit), *found["groups"]}),
        roles=ROLES,
        may_change=may(visit, "operator"),
        refused=refused,
    )


@pages.post("/members/{staff_id}")
async def change(visit: Visit) -> Response:
    """Groups and roles, a new password, blocking."""
    id_, what = quote(visit.path["staff_id"], safe=""), visit.form["what"]
    try:
        match what:
            case "rights":
                await visit.put("identity", f"/staff/{id_}", _rights(visit))
            case "block" | "unblock":
                await visit.post("identity", f"/staff/{id_}/{what}")
            case "password":
                link = await visit.post("identity", f"/staff/{id_}/password-links")
                found = await _find(visit)
                return _show_link(visit, found["name"] if found else "", link["token"], link["expires_at"])
            case _:
                return visit.not_found()
    except Refused as refused:
        return await _show(visit, refused)
    return visit.go(f"/members/{id_}", said="members.done." + what)


def _rights(visit: Visit) -> dict[str, list[str]]:
    more = [each for each in SEPARATORS.split(visit.form["more_groups"]) if each]
    return {"groups": list(dict.fromkeys([*visit.form.all("groups"), *more])), "roles": visit.form.all("roles")}


def _show_link(visit: Visit, name: str, token: str, expires_at: str) -> Response:
    """The link with which somebody chooses his password; it is shown this once."""
    url = f"{visit.api.settings.staff_url}/reset/{token}"
    return visit.show("staff/member_link.html", name=name, link=url, expires_at=expires_at)


async def _find(visit: Visit) -> dict[str, Any] | None:
    page = await visit.get("identity", "/staff")
    return next((each for each in page["items"] if each["staff_id"] == visit.path["staff_id"]), None)
