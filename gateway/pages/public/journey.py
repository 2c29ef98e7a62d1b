"""`/j/{journey}` and `/embed/j/{journey}`: journeys for everybody, on the portal and inside pages that it names."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.responses import Response

from gateway.api import Refused
from gateway.cookies import DAY_SECONDS
from gateway.journeys.run import Run
from gateway.journeys.steps import add_steps
from gateway.routing import Pages
from gateway.visit import Visit

DRAFTS = "drafts"
"""The cookie with the secrets of what was begun without signing in: `{submission: [secret, journey]}`."""
MOST_DRAFTS = 4
OPEN, EMBEDDED = "/j", "/embed/j"
LAYOUTS = {OPEN: "layout/public.html", EMBEDDED: "layout/embedded.html"}

pages = Pages("portal")


def _add(root: str) -> None:
    embedded = root == EMBEDDED
    path = f"{root}/{{journey_id}}"
    pages.get(path, "anybody", embedded=embedded)(partial(_start, root))
    pages.post(path, "anybody", embedded=embedded)(partial(_begin, root))
    add_steps(pages, f"{path}/{{submission_id}}", "anybody", partial(_open, root), embedded=embedded)


async def _start(root: str, visit: Visit) -> Response:
    """What it is about; nothing is begun before the button is pressed."""
    journey = visit.path["journey_id"]
    form = await _form(visit, journey)
    if form is None:
        return visit.not_found()
    begun = next((id_ for id_, (_, name) in reversed(_known(visit).items()) if name == journey), None)
    return visit.show("public/journey.html", journey=form, layout=LAYOUTS[root], here=f"{root}/{journey}", begun=begun)


async def _begin(root: str, visit: Visit) -> Response:
    """Whoever is signed in goes on as himself, so that he finds it again in his portal."""
    journey = visit.path["journey_id"]
    if await _form(visit, journey) is None:
        return visit.not_found()
    wanted = {"journey_id": journey, "portal_id": visit.site.id, "language": visit.language}
    if visit.who is not None and visit.who.ready and root == OPEN:
        begun = await visit.post("journeys", "/submissions", wanted)
        return visit.go(f"/journeys/{begun['submission_id']}")
    begun = await visit.as_gateway.post("journeys", "/submissions", wanted)
    known = {**_known(visit), begun["submission_id"]: [begun["draft_secret"], journey]}
    kept = dict(list(known.items())[-MOST_DRAFTS:])
    visit.cookies.put(DRAFTS, visit.box.seal(kept), DAY_SECONDS)
    return visit.go(f"{root}/{journey}/{begun['submission_id']}")


async def _open(root: str, visit: Visit) -> Run | None:
    """The journey if this browser has begun it."""
    id_, journey = visit.path["submission_id"], visit.path["journey_id"]
    secret, name = _known(visit).get(id_, (None, None))
    if secret is None or name != journey:
        return None
    start = f"{root}/{journey}"
    return Run(visit, id_, f"{start}/{id_}", LAYOUTS[root], secret=secret, start=start)


async def _form(visit: Visit, journey: str) -> dict[str, Any] | None:
    """The journey if it is for everybody."""
    try:
        form: dict[str, Any] = await visit.as_gateway.get("journeys", f"/journeys/{journey}/form")
    except Refused as refused:
        if refused.status in {404, 422}:
            return None
        raise
    return form if form["access"] == "public" else None


def _known(visit: Visit) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = visit.box.open(visit.cookies.get(DRAFTS), DAY_SECONDS) or {}
    return found


_add(OPEN)
_add(EMBEDDED)
