"""A portal's document as a tab reads and writes it: guarded by the version that was seen, mistakes at their fields."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from gateway.visit import Form, Refused, Visit

TABS = ("general", "design", "texts", "permissions", "actions", "links")
MOST_WARNINGS = 6
CHANGED_MEANWHILE = 412
Document = dict[str, Any]


@dataclass(frozen=True)
class Opened:
    """A portal's document, and the version that a change of it names."""

    document: Document
    etag: str

    @property
    def path(self) -> str:
        """The address of its settings."""
        return f"/portals/{quote(self.document['portal'], safe='')}"


Again = Callable[[Opened, Refused], Awaitable[Response]]
"""Shows a tab with a document as it was typed, and why it was not taken."""


async def open_portal(visit: Visit) -> Opened:
    """The portal of the address. Raises Refused 404."""
    return await read_portal(visit, visit.path["portal_id"])


async def read_portal(visit: Visit, portal_id: str) -> Opened:
    """A portal by its id. Raises Refused 404."""
    answer = await visit.send("GET", "portal", f"/portals/{quote(portal_id, safe='')}")
    return Opened(answer.json(), answer.headers.get("ETag", ""))


async def keep(
    visit: Visit, portal: Opened, part: Mapping[str, Any], *, to: str, again: Again, said: str = "portals.saved"
) -> Response:
    """Writes the portal with another part, meant for the version that the form was made of; then leads to `to`."""
    document = {**portal.document, **part}
    address = f"/portals/{quote(portal.document['portal'], safe='')}"
    seen = visit.form.get("seen") or portal.etag
    try:
        taken = await visit.put("portal", address, document, If_Match=seen)
    except Refused as refused:
        return await again(Opened(document, portal.etag), refused)
    warnings = _warnings(taken, part)
    return visit.go(portal.path + to, said="portals.saved_warned" if warnings else said, warnings=warnings)


def show(
    visit: Visit, tab: str, portal: Opened, *, refused: Refused | None = None, template: str = "", **context: Any
) -> Response:
    """A tab's page. `mistakes` are sentences by the path in the document, which is the name of the field."""
    changed = refused is not None and refused.status == CHANGED_MEANWHILE
    return visit.show(
        f"staff/portals/{template or tab}.html",
        status=refused.status if refused else 200,
        portal=portal.document,
        seen=portal.etag,
        here=portal.path,
        tab=tab,
        tabs=TABS,
        changed=changed,
        refused=None if changed else refused,
        mistakes=refused.mistakes if refused else {},
        **context,
    )


def _warnings(taken: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, str]:
    """What should be looked at in the part that was changed, by its path."""
    warnings = {each["path"]: each["detail"] for each in taken.get("warnings", ())}
    mine = [path for path in warnings if path.split(".")[0] in part]
    return {path: warnings[path] for path in mine[:MOST_WARNINGS]}


async def read_schemas(visit: Visit) -> list[Document]:
    """The documents of all entities."""
    found: list[Document] = (await visit.get("entities", "/schemas"))["items"]
    return found


async def read_all(visit: Visit, service: str, path: str, pages: int = 10) -> list[Document]:
    """A list whose pages are few, as a whole."""
    items: list[Document] = []
    cursor = ""
    for _ in range(pages):
        found = await visit.get(service, path, limit=200, cursor=cursor)
        items += found["items"]
        if not (cursor := found["next"] or ""):
            break
    return items


async def side_by_side(*calls: Awaitable[Any]) -> Sequence[Any]:
    """Answers of calls that a tab cannot do without, in their order."""
    return await asyncio.gather(*calls)


def names(form: Form, name: str) -> dict[str, str]:
    """A text in both languages out of the fields `name.de` and `name.en`."""
    return {"de": form.get(f"{name}.de"), "en": form.get(f"{name}.en")}


def whole(text: str) -> int | str | None:
    """A number as it was typed; nothing is null, and what is no number stays, so that the API says so."""
    return int(text) if text.isdecimal() and len(text) < 10 else text or None


def cents(text: str) -> int | str:
    """Euros as they were typed ("10", "10,50", "10.50") in cents; what is no amount stays, so that the API says so."""
    euros, _, rest = text.replace("€", "").strip().replace(",", ".").partition(".")
    fits = euros.isdecimal() and len(euros) < 8 and (not rest or (rest.isdecimal() and len(rest) <= 2))
    return int(euros) * 100 + int(rest.ljust(2, "0") or 0) if fits else text
