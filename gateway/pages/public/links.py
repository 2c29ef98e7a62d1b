"""What links of mails have in common: opening one uses nothing up, and one that is no longer good says so kindly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from gateway.api import Refused
from gateway.pages.public.forms import at_field
from gateway.visit import Visit

NOT_FOUND = 404
GONE = 410


async def look_up(visit: Visit, path: str, kinds: Iterable[str]) -> Mapping[str, Any] | Response:
    """The link of the address, or the page that says why it is no longer good. `path` is where identity has it."""
    try:
        found = await visit.as_gateway.get("identity", f"{path}/{quote(visit.path['token'], safe='')}")
    except Refused as refused:
        if refused.status != NOT_FOUND:
            raise
        return no_good(visit, "unknown", "")
    if found["kind"] not in kinds or found["portal_id"] != (visit.site.id or None):
        return no_good(visit, "unknown", "")
    if found["state"] != "open":
        return no_good(visit, found["state"], found["kind"])
    link: Mapping[str, Any] = found
    return link


def no_good(visit: Visit, state: str, kind: str) -> Response:
    """The page of a link that was used, has expired, or never was one."""
    return visit.show("public/link.html", GONE, state=state, kind=kind)


def refused_again(visit: Visit, refused: Refused, template: str, **context: Any) -> Response:
    """The page once more with what was wrong about the password, or what became of the link meanwhile."""
    if refused.code in {"link_used", "link_expired", "link_not_found"}:
        return no_good(visit, {"link_used": "used", "link_expired": "expired"}.get(refused.code, "unknown"), "")
    return visit.show(template, refused.status, refused=at_field(refused, {"invalid_password": "password"}), **context)
