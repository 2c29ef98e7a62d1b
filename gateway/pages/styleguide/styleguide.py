"""The living page of all components: what is changed in a component is seen here first, in every state and brand."""

from __future__ import annotations

import time

from starlette.responses import Response

from gateway.cookies import ACTING, SAID
from gateway.routing import Pages
from gateway.visit import Visit

SHELLS = ("portal", "public", "embedded", "staff")
TOKENS = ("ink", "ink-soft", "link", "fill", "tint", "positive", "warning", "critical", "info", "line", "line-strong")
STEPS = (("done", True), ("done", True), ("skipped", True), ("active", True), ("pending", True), ("pending", False))
SHOWN_SECONDS = 280

pages = Pages("portal", "staff", "index")


@pages.get("/styleguide", who="anybody")
async def styleguide(visit: Visit) -> Response:
    """`?shell=staff` shows another frame, `?said=yes` a message, `?acting=yes` the banner of acting as a customer."""
    if not visit.development:
        return visit.not_found()
    if visit.query.get("said"):
        visit.cookies.put(SAID, visit.box.seal({"key": "styleguide.said", "facts": {}}))
    if visit.query.get("acting"):
        visit.cookies.put(ACTING, visit.box.seal(_acting()))
    shell = visit.query.get("shell", "staff" if visit.site.kind == "staff" else "portal")
    response = visit.show(
        "styleguide/styleguide.html", shell=shell if shell in SHELLS else "portal", tokens=TOKENS, steps=STEPS
    )
    if visit.query.get("acting"):
        response.draw()
        visit.cookies.remove(ACTING)
    return response


def _acting() -> dict[str, object]:
    names = {"user_name": "Anna Sommer", "staff_name": "Maria Lindner", "impersonation_id": ""}
    return {**names, "until": time.time() + SHOWN_SECONDS}
