"""`/users/{id}`: one portal user, whom he belongs to, and whether he may come in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime, time
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from chassis.texts import ZONE
from gateway.pages.public.forms import at_field, missing
from gateway.pages.staff import happenings
from gateway.pages.staff.desk import found
from gateway.pages.staff.records import FIELD, Record, at_attribute, find_shape, typed, with_values
from gateway.routing import Pages
from gateway.visit import Refused, Visit

SHOWN = 20
LATEST = 10
ASKING = ("block", "expiry", "delete", "unassign")
NEEDED: Mapping[str, Mapping[str, str]] = {
    "block": {"reason": "staff.no_reason"},
    "unassign": {"reason": "staff.no_reason"},
    "delete": {"sure": "staff.not_sure"},
}
User = dict[str, Any]

pages = Pages("staff")


@pages.get("/users/{user_id}")
async def user(visit: Visit) -> Response:
    return await show_user(visit)


async def show_user(visit: Visit, refused: Refused | None = None) -> Response:
    """The page of a user, with what was refused."""
    known, portals = await asyncio.gather(_find(visit), visit.get("portal", "/portals"))
    contact_id = known["contact_id"]
    parts = await visit.together(
        mails=found(visit, "notifications", "/messages", contact_id=contact_id, limit=5) if contact_id else _nothing(),
        contracts=visit.get("entities", "/records/contract", where=(f"holder:{contact_id}",))
        if contact_id
        else _nothing(),
        told=happenings.of_user(visit, known["user_id"], LATEST),
    )
    return visit.show(
        "staff/users/user.html",
        refused.status if refused else 200,
        user=known,
        told=parts.told,
        portals={each["portal"]: each["name"] for each in portals["items"]},
        contracts=parts.contracts["items"] if parts.contracts else [],
        refused=refused,
    )


async def _nothing() -> None:
    return None


@pages.get("/users/{user_id}/assign")
async def choose_contact(visit: Visit) -> Response:
    return await _show_contacts(visit)


async def _show_contacts(visit: Visit, refused: Refused | None = None) -> Response:
    """The contacts that he may be first, then those that fit a search."""
    known, shape = await asyncio.gather(_find(visit), find_shape(visit, "contact"))
    search = visit.query.get("search", "").strip()[:200]
    results: list[Record] = []
    if search and shape:
        page = await visit.get("entities", "/records/contact", search=search, limit=SHOWN)
        results = [with_values(each, shape) for each in page["items"]]
    candidates = {each["contact_id"] for each in known["candidates"]}
    return visit.show(
        "staff/users/assign.html",
        refused.status if refused else 200,
        user=known,
        search=search,
        results=[each for each in results if each["id"] not in candidates],
        refused=refused,
    )


@pages.post("/users/{user_id}/assign")
async def assign(visit: Visit) -> Response:
    try:
        await visit.post("identity", f"/users/{_id(visit)}/assignment", {"contact_id": visit.form["contact_id"]})
    except Refused as refused:
        return await _show_contacts(visit, refused)
    return visit.go(_path(visit), said="users.done_assign")


@pages.get("/users/{user_id}/contact")
async def describe_contact(visit: Visit) -> Response:
    return await _show_new_contact(visit)


async def _show_new_contact(visit: Visit, refused: Refused | None = None) -> Response:
    """The form of a new contact, filled with what he told when he registered."""
    known, shape = await asyncio.gather(_find(visit), find_shape(visit, "contact"))
    if shape is None:
        return visit.not_found()
    if refused and refused.code == "contact_exists":
        refused = at_field(refused, {"contact_exists": FIELD + shape["external_id"]})
    return visit.show(
        "staff/users/contact.html",
        refused.status if refused else 200,
        user=known,
        shape=shape,
        values={**_told(known), **typed(visit, shape)},
        refused=at_attribute(refused),
    )


@pages.post("/users/{user_id}/contact")
async def create_contact(visit: Visit) -> Response:
    shape = await find_shape(visit, "contact")
    if shape is None:
        return visit.not_found()
    given = {name: value for name, value in typed(visit, shape).items() if value not in {"", ()}}
    number = given.pop(shape["external_id"], None)
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
    try:
        made = await visit.post(
            "identity", f"/users/{_id(visit)}/contact", {"customer_number": number, "values": values}
        )
    except Refused as refused:
        return await _show_new_contact(visit, refused)
    said = "users.done_contact" if made["status"] == "assigned" else "users.requested_contact"
    return visit.go(_path(visit), said=said, number=made["customer_number"])


def _told(known: User) -> dict[str, Any]:
    """What a registration says about a contact; the last word of a name is the last name."""
    first, _, last = (known["name"] or "").strip().rpartition(" ")
    return {"first_name": first, "last_name": last, "email": known["email"] or "", "language": known["language"]}


@pages.get("/users/{user_id}/{what}")
async def ask(visit: Visit) -> Response:
    return await _ask(visit)


async def _ask(visit: Visit, refused: Refused | None = None) -> Response:
    """Asks for the reason or the date that something needs, or whether one is sure."""
    what = visit.path["what"]
    if what not in ASKING:
        return visit.not_found()
    today = datetime.now(ZONE).date().isoformat()
    status = refused.status if refused else 200
    return visit.show("staff/users/ask.html", status, user=await _find(visit), what=what, today=today, refused=refused)


@pages.post("/users/{user_id}/{what}")
async def carry_out(visit: Visit) -> Response:
    """Blocks, unblocks, sets when access ends, sends the activation again, unassigns or deletes."""
    what = visit.path["what"]
    if what not in DOING:
        return visit.not_found()
    if wrong := missing(visit, NEEDED.get(what, {})):
        return await _ask(visit, wrong)
    try:
        await DOING[what](visit)
    except Refused as refused:
        if refused.status == 404:
            raise
        if what not in ASKING:
            return await show_user(visit, refused)
        return await _ask(visit, at_field(refused, {"invalid_request": "until" if what == "expiry" else "reason"}))
    return visit.go("/users" if what == "delete" else _path(visit), said=f"users.done_{what}")


async def _block(visit: Visit) -> None:
    await visit.post("identity", f"/users/{_id(visit)}/block", {"reason": visit.form["reason"]})


async def _unblock(visit: Visit) -> None:
    await visit.post("identity", f"/users/{_id(visit)}/unblock")


async def _resend(visit: Visit) -> None:
    await visit.post("identity", f"/users/{_id(visit)}/activation-mail")


async def _set_expiry(visit: Visit) -> None:
    """Access ends with the end of the day that is given; without one it never does."""
    given = visit.form["until"]
    try:
        until = datetime.combine(date.fromisoformat(given), time(23, 59, 59), ZONE).isoformat() if given else None
    except ValueError:
        raise Refused(422, {"code": "invalid_request", "detail": visit.say("users.no_date")}) from None
    await visit.post("identity", f"/users/{_id(visit)}/expiry", {"expires_at": until})


async def _unassign(visit: Visit) -> None:
    path = f"/users/{_id(visit)}/assignment"
    await visit.delete("identity", f"{path}?reason={quote(visit.form['reason'][:500], safe='')}")


async def _delete(visit: Visit) -> None:
    await visit.delete("identity", f"/users/{_id(visit)}")


DOING: Mapping[str, Callable[[Visit], Awaitable[None]]] = {
    "block": _block,
    "unblock": _unblock,
    "resend": _resend,
    "expiry": _set_expiry,
    "unassign": _unassign,
    "delete": _delete,
}


async def _find(visit: Visit) -> User:
    """The user of the address. Raises Refused 404."""
    known: User = await visit.get("identity", f"/users/{_id(visit)}")
    return known


def _id(visit: Visit) -> str:
    return quote(visit.path["user_id"], safe="")


def _path(visit: Visit) -> str:
    return f"/users/{_id(visit)}"
