"""`/journeys`: what the visitor has begun, step by step until it is sent; it waits for him when he leaves."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from gateway.journeys.run import Run
from gateway.journeys.steps import add_steps
from gateway.routing import Pages
from gateway.visit import Visit

BASE = "/journeys"

pages = Pages("portal")


@pages.get(BASE)
async def drafts(visit: Visit) -> Response:
    """What was begun and not sent."""
    begun = (await visit.get("journeys", "/drafts"))["items"]
    names = await asyncio.gather(*(_contract_of(visit, each["context"]) for each in begun))
    return visit.show("customer/journeys.html", drafts=list(zip(begun, names, strict=True)))


async def _of_user(visit: Visit) -> Run | None:
    id_ = visit.path["submission_id"]
    return Run(visit, id_, f"{BASE}/{id_}", "layout/portal.html")


add_steps(pages, f"{BASE}/{{submission_id}}", "user", _of_user)


async def _contract_of(visit: Visit, context: dict[str, str] | None) -> str | None:
    """The number of the contract that a draft is about."""
    if not context or context["entity"] != "contract":
        return None
    shown = await Run(visit, "", "", "").record({"context": context})
    return str(shown["contract"]["number"]) if shown else None
