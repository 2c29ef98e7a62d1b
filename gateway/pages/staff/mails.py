"""`/mails`: which mails went out, which wait and which failed; what became of one, and sending it once more."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import Response

from gateway.pages.staff.desk import may
from gateway.pages.staff.portals.document import read_all
from gateway.routing import Pages
from gateway.visit import Away, Refused, Visit

pages = Pages("staff")
STATES = ("waiting", "sending", "sent", "failed")
RECIPIENTS = ("contact", "user", "staff", "submission")
FILTERS = ("status", "template", "portal_id", "recipient", "since", "until")
NOBODY = "nobody"
MISSING = 404
PAGE = 25


@pages.get("/mails")
async def mails(visit: Visit) -> Response:
    asked = {name: visit.query.get(name, "") for name in (*FILTERS, "who")}
    found = await visit.together(
        log=_log(visit, asked),
        portals=read_all(visit, "portal", "/portals"),
        templates=visit.get("notifications", "/templates"),
    )
    following = found.log and found.log["next"]
    kept = {name: value for name, value in asked.items() if value}
    return visit.show(
        "staff/mails.html",
        log=found.log,
        people=await _people(visit, found.log["items"]) if found.log else {},
        portals=found.portals or [],
        templates=[each["template"] for each in found.templates["items"]] if found.templates else [],
        asked=asked,
        is_filtered=bool(kept),
        states=STATES,
        recipients=RECIPIENTS,
        next_href=f"/mails?{urlencode({**kept, 'cursor': following})}" if following else None,
        first_href=f"/mails?{urlencode(kept)}" if visit.query.get("cursor") else None,
    )


@pages.get("/mails/{message_id}")
async def mail(visit: Visit) -> Response:
    message = await visit.get("notifications", f"/messages/{_id(visit)}")
    person, contract = await asyncio.gather(
        _record(visit, "contact", message["contact_id"]), _record(visit, "contract", message["contract_id"])
    )
    return visit.show(
        "staff/mail.html",
        mail=message,
        person=person,
        contract_record=contract,
        may_resend=may(visit, "staff") and message["state"] != "sending",
    )


@pages.get("/mails/{message_id}/resend")
async def ask_to_resend(visit: Visit) -> Response:
    message = await visit.get("notifications", f"/messages/{_id(visit)}")
    return visit.show("staff/mail_resend.html", mail=message)


@pages.post("/mails/{message_id}/resend")
async def resend(visit: Visit) -> Response:
    await visit.post("notifications", f"/messages/{_id(visit)}/resend")
    return visit.go(f"/mails/{_id(visit)}", said="mails.resent")


async def _log(visit: Visit, asked: dict[str, str]) -> dict[str, Any]:
    """A page of the log; a person that nobody knows has no mails."""
    contact = await _contact(visit, asked["who"]) if asked["who"] else ""
    if contact == NOBODY:
        return {"items": [], "next": None}
    wanted = {name: asked[name] for name in FILTERS}
    for name in ("since", "until"):
        wanted[name] = wanted[name] if _is_date(wanted[name]) else ""
    cursor = visit.query.get("cursor", "")
    try:
        found: dict[str, Any] = await visit.get(
            "notifications", "/messages", **wanted, contact_id=contact, cursor=cursor, limit=PAGE
        )
    except Refused:
        found = {"items": [], "next": None}
    return found


async def _contact(visit: Visit, who: str) -> str:
    """The contact behind a customer number, an id or the e-mail address of a portal user."""
    if "@" in who:
        users = (await visit.get("identity", "/users", search=who, limit=1))["items"]
        return next((user["contact_id"] for user in users if user.get("contact_id")), NOBODY)
    try:
        found = await visit.get("entities", f"/records/contact/{quote(who, safe='')}")
    except Refused as refused:
        if refused.status != MISSING:
            raise
        return NOBODY
    return str(found["id"])


async def _people(visit: Visit, messages: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The contacts of a page of messages; one that is gone, or cannot be read now, has no name."""
    ids = {message["contact_id"] for message in messages if message["contact_id"]}
    found = await asyncio.gather(*(_record(visit, "contact", id_) for id_ in ids))
    return {person["id"]: person for person in found if person}


async def _record(visit: Visit, entity: str, id_: str | None) -> dict[str, Any] | None:
    if not id_:
        return None
    try:
        found: dict[str, Any] = await visit.get("entities", f"/records/{entity}/{quote(id_, safe='')}")
    except (Refused, Away):
        return None
    return found


def _id(visit: Visit) -> str:
    return quote(visit.path["message_id"], safe="")


def _is_date(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False
