"""`/contracts/{id}/instalment`: another amount, seen before it is asked for."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from gateway.routing import Pages
from gateway.visit import Refused, Visit

AMOUNT = re.compile(r"[0-9]{1,7}([.,][0-9]{1,2})?")
GROUPED = re.compile(r"[0-9]{1,3}([., ])[0-9]{3}(\1[0-9]{3})*((?!\1)[.,][0-9]{1,2})?")
PREVIEW = "preview"

pages = Pages("portal")


@pages.get("/contracts/{contract_id}/instalment")
async def instalment(visit: Visit) -> Response:
    return await _form(visit, visit.query.get("amount", ""))


@pages.get("/contracts/{contract_id}/instalment/preview")
async def preview(visit: Visit) -> Response:
    """What an amount would bring, as the part of the page that is replaced while the slider moves."""
    cents = read_amount(visit.query.get("amount", ""))
    tried = await _preview(visit, cents) if cents is not None else None
    return visit.show("customer/instalment_preview.html", tried=tried, cents=cents)


@pages.post("/contracts/{contract_id}/instalment")
async def change(visit: Visit) -> Response:
    id_, given = visit.path["contract_id"], visit.form["amount"]
    cents = read_amount(given)
    if visit.form["next"] == PREVIEW and cents is not None:
        return visit.go(f"/contracts/{id_}/instalment?amount={given}#instalment-preview")
    if cents is None:
        return await _form(visit, given, mistake="instalment.not_an_amount", status=422)
    try:
        await visit.post("billing", f"/contracts/{id_}/instalment-changes", {"amount_cents": cents})
    except Refused as refused:
        if refused.status == 404:
            raise
        return await _form(visit, given, refused, status=refused.status)
    return visit.go(f"/contracts/{id_}#instalments", said="instalment.requested", amount_cents=cents)


def read_amount(text: str) -> int | None:
    """The cents of an amount as people write it in both languages: 95 - 95,50 - 95.5 - 1.234,50 - 1,234.50."""
    text = text.strip().removesuffix("€").removeprefix("€").strip()
    if not AMOUNT.fullmatch(text) and not GROUPED.fullmatch(text):
        return None
    whole, decimals = text, ""
    if found := re.search(r"[.,](\d{1,2})$", text):
        whole, decimals = text[: found.start()], found[1]
    euros = int(re.sub(r"\D", "", whole))
    return euros * 100 + int(decimals.ljust(2, "0"))


async def _form(
    visit: Visit, given: str, refused: Refused | None = None, mistake: str | None = None, status: int = 200
) -> Response:
    """The page with what was given; what would be refused whatever the amount is told instead of a form."""
    cents = read_amount(given)
    parts = {"contract": visit.get("portal", f"/contracts/{visit.path['contract_id']}"), "now": _preview(visit, None)}
    if cents is not None:
        parts["tried"] = _preview(visit, cents)
    found = await visit.together(**parts)
    context = {"found": found, "refused": refused, "mistake": mistake, "cents": cents, "typed": given}
    return visit.show("customer/instalment.html", status, **context)


async def _preview(visit: Visit, cents: int | None) -> Any:
    return await visit.get("billing", f"/contracts/{visit.path['contract_id']}/instalment-preview", amount_cents=cents)
