"""The second identification: several contacts have the address, and a number tells which of them it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from gateway.api import Refused
from gateway.pages.public.forms import missing
from gateway.routing import Pages
from gateway.visit import Visit

UNPROCESSABLE = 422

pages = Pages("portal")


@pages.get("/identify", who="session")
async def identify(visit: Visit) -> Response:
    if visit.who and visit.who.ready:
        return visit.go("/")
    known = await _standing(visit)
    return visit.show("public/identify.html", known=known) if known["status"] == "identify" else _on(visit, known)


@pages.post("/identify", who="session")
async def answered(visit: Visit) -> Response:
    known = await _standing(visit)
    if known["status"] != "identify":
        return _on(visit, known)
    paths = [each["path"] for each in known["ask"]]
    if incomplete := missing(visit, dict.fromkeys(paths, "identify.missing")):
        return visit.show("public/identify.html", incomplete.status, refused=incomplete, known=known)
    answers = {path: visit.form[path] for path in paths}
    try:
        found = await visit.as_gateway.post(
            "identity", "/identifications", {"session": visit.session, "answers": answers}
        )
    except Refused as refused:
        if refused.code in {"no_tries_left", "identification_not_asked"}:
            return visit.go("/waiting")
        return visit.show("public/identify.html", refused.status, refused=refused, known=known)
    if found["status"] == "identify":
        return visit.show("public/identify.html", UNPROCESSABLE, known=found, wrong=True)
    return visit.go("/", said="identify.done") if found["status"] == "ready" else visit.go("/waiting")


async def _standing(visit: Visit) -> Mapping[str, Any]:
    """How far he is, asked in the language that he reads."""
    known: Mapping[str, Any] = await visit.as_gateway.post("identity", "/sessions/token", {"session": visit.session})
    return known


def _on(visit: Visit, known: Mapping[str, Any]) -> Response:
    return visit.go("/" if known["status"] == "ready" else "/waiting")
