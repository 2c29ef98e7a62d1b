"""`/portals/{id}/texts`: the words of its pages that a portal may put in its own way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from starlette.responses import Response

from gateway.pages.staff.portals.document import Document, Opened, keep, names, open_portal, show
from gateway.routing import Pages
from gateway.visit import Form, Refused, Visit

pages = Pages("staff")
PAGES = (
    "start",
    "imprint",
    "privacy",
    "links",
    "sign_in",
    "register",
    "inbox",
    "waiting",
    "contracts",
    "payments",
    "tasks",
    "requests",
    "profile",
)
SPEAKING = re.compile(r"(^links\.\w+|[._](title|lead|text|welcome|note|body))$")
"""A portal may put in its own words what greets and explains on the pages that its users see every day, and say where
imprint and privacy notice are. Labels of fields and buttons stay the same everywhere."""
NOT_FOR_PORTALS = ".staff_"
FACT = re.compile(r"\{\w+\}")
WHOLE = {"imprint.body", "privacy.body"}
"""Whoever writes these writes the whole page, and needs no facts in it."""
OTHERS = "others"


@pages.get("/portals/{portal_id}/texts")
async def texts(visit: Visit) -> Response:
    return _page(visit, await open_portal(visit))


@pages.post("/portals/{portal_id}/texts")
async def change(visit: Visit) -> Response:
    portal = await open_portal(visit)

    async def again(typed: Opened, refused: Refused) -> Response:
        return _page(visit, typed, refused)

    part = {"texts": typed_texts(visit.form, portal.document["texts"], usual(visit))}
    return await keep(visit, portal, part, to="/texts", again=again)


def usual(visit: Visit) -> dict[str, Mapping[str, str]]:
    """The texts that may be replaced, as they come: whole pages, and sentences that name no facts."""
    return {
        key: {"de": said["de"], "en": said["en"]}
        for key, said in visit.rendering.texts.sentences.items()
        if key.partition(".")[0] in PAGES
        and SPEAKING.search(key)
        and NOT_FOR_PORTALS not in key
        and (key in WHOLE or not any(map(FACT.search, said.values())))
    }


def typed_texts(form: Form, before: Document, known: Iterable[str]) -> Document:
    """The texts that were typed; one that is empty in both languages is the usual one again."""
    typed = {key: names(form, f"texts.{key}") for key in (*known, *(key for key in before if key not in known))}
    return {key: said for key, said in typed.items() if any(said.values())}


def _page(visit: Visit, portal: Opened, refused: Refused | None = None) -> Response:
    known, own = usual(visit), portal.document["texts"]
    groups: dict[str, list[tuple[str, Mapping[str, str] | None]]] = {page: [] for page in (*PAGES, OTHERS)}
    for key, said in known.items():
        groups[key.partition(".")[0]].append((key, said))
    groups[OTHERS] = [(key, None) for key in own if key not in known]
    shown = {page: texts for page, texts in groups.items() if texts}
    return show(visit, "texts", portal, refused=refused, groups=shown, own=own)
