"""What is said when a journey was sent, and the receipt that people keep of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from gateway.journeys.run import Run

RECEIPT_SECONDS = 24 * 3600


async def confirmed(run: Run, told: Mapping[str, Any] | None = None) -> Response:
    """`told` is what was just sent, for whoever is not signed in: the API shows it to nobody afterwards."""
    visit = run.visit
    shown = await run.load()
    if shown["state"] != "submitted":
        return visit.go(run.base)
    content = await run.content()
    if content is not None:
        told = {"summary": content["summary"], "sent_at": content["submitted_at"]}
    kept = {"title": shown["title"], "reference": shown["reference"], **told} if told else None
    return visit.show(
        "journeys/sent.html",
        run=run,
        journey=shown,
        told=told,
        receipt=visit.box.seal(kept) if kept else None,
        effects=sorted({each["kind"] for each in content["effects"]}) if content else [],
    )


async def receipt(run: Run) -> Response:
    """What was sent, as a file to keep: with date and time, as the law asks for where a contract is cancelled."""
    visit = run.visit
    kept = visit.box.open(visit.form.get("receipt"), RECEIPT_SECONDS)
    if kept is None:
        return visit.go(f"{run.base}/sent")
    text = visit.rendering.render("journeys/receipt.txt", visit, {"kept": kept})
    name = f"{kept['reference']}.txt"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type="text/plain; charset=utf-8", headers=headers)
