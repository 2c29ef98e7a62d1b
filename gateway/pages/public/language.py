"""The other language, for a year."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import Response

from chassis.texts import LANGUAGES
from gateway.cookies import LANGUAGE
from gateway.routing import Pages
from gateway.visit import Visit

YEAR_SECONDS = 365 * 24 * 3600

pages = Pages("portal", "staff", "index")


@pages.post("/language", who="anybody")
async def language(visit: Visit) -> Response:
    if visit.form["language"] in LANGUAGES:
        visit.cookies.put(LANGUAGE, visit.form["language"], YEAR_SECONDS)
    return visit.go(visit.form["next"] or _before(visit))


def _before(visit: Visit) -> str:
    """The page that the form was on, if it is one of this site."""
    came_from = urlsplit(visit.request.headers.get("referer", ""))
    if came_from.netloc != visit.request.headers.get("host"):
        return "/"
    return f"{came_from.path}?{came_from.query}" if came_from.query else came_from.path
