"""Check your inbox: the same page whatever is known of the address, and the mail once more."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote

from starlette.responses import Response

from gateway.api import Refused
from gateway.pages.public.forms import at_field
from gateway.routing import Pages
from gateway.visit import Visit

Kind = Literal["activation", "reset"]
PATHS: dict[Kind, str] = {"activation": "activation-mails", "reset": "password-resets"}
REMEMBERED_SECONDS = 24 * 3600

pages = Pages("portal")


@pages.get("/check-inbox", who="anybody")
async def check_inbox(visit: Visit) -> Response:
    kind, email = _sought(visit, visit.query.get("for"))
    return visit.show("public/check_inbox.html", kind=kind, email=email, mailbox=visit.api.settings.mailbox_url)


@pages.post("/check-inbox", who="anybody")
async def once_more(visit: Visit) -> Response:
    kind, email = _sought(visit, visit.form["for"])
    email = email or visit.form["email"]
    try:
        await ask(visit, kind, email)
    except Refused as refused:
        found = at_field(refused, {"invalid_email": "email"})
        return visit.show("public/check_inbox.html", refused.status, refused=found, kind=kind, email="", mailbox="")
    return look_for(visit, kind, email, said="check_inbox.again_done")


async def ask(visit: Visit, kind: Kind, email: str) -> None:
    """Asks identity for a mail. Raises Refused for what is no address."""
    await visit.as_gateway.post("identity", f"/portals/{visit.site.id}/{PATHS[kind]}", {"email": email})


def look_for(visit: Visit, kind: Kind, email: str, said: str | None = None) -> Response:
    """To the page; the address goes along sealed, so that it stands in no log."""
    sealed = visit.box.seal({"sought": kind, "email": email})
    return visit.go(f"/check-inbox?for={quote(sealed)}", said=said)


def _sought(visit: Visit, sealed: str | None) -> tuple[Kind, str]:
    found = visit.box.open(sealed, REMEMBERED_SECONDS)
    if not isinstance(found, dict) or "sought" not in found:
        return "activation", ""
    return ("reset" if found["sought"] == "reset" else "activation"), found["email"]
