"""`/portals/{id}/design`: colours and logo, with a preview beside them and whether the colours can be read."""

from __future__ import annotations

import base64

from starlette.responses import Response

from gateway.headers import policy
from gateway.pages.staff.portals.contrast import READABLE, swatch
from gateway.pages.staff.portals.document import Document, Opened, keep, open_portal, show
from gateway.routing import Pages
from gateway.visit import Form, Refused, Visit

pages = Pages("staff")
USUAL = "#0b6e4f"
LARGEST_LOGO = 200_000


@pages.get("/portals/{portal_id}/design")
async def design(visit: Visit) -> Response:
    return _page(visit, await open_portal(visit))


@pages.post("/portals/{portal_id}/design")
async def change(visit: Visit) -> Response:
    portal = await open_portal(visit)
    typed = await typed_design(visit.form)

    async def again(opened: Opened, refused: Refused) -> Response:
        return _page(visit, opened, refused)

    return await keep(visit, portal, {"design": typed}, to="/design", again=again)


async def typed_design(form: Form) -> Document:
    """Colours and logo as they were chosen or typed; a file comes before text."""
    logo: str | None = form["design.logo"] or None
    for file in form.files("logo_file")[:1]:
        logo = (await file.read(LARGEST_LOGO)).decode("utf-8", "replace")
    if "logo_gone" in form:
        logo = None
    brand = _colour(form, "brand")
    return {"brand": brand, "accent": _colour(form, "accent") or None, "logo": logo}


def _colour(form: Form, name: str) -> str:
    """The field of the colour and the field of its text, of which the one counts that was changed."""
    text, picked, was = form[f"design.{name}"], form[f"picked.{name}"], form[f"was.{name}"]
    is_picked = picked.lower() != was.lower() and text.lower() in {was.lower(), ""}
    if is_picked:
        return picked
    return f"#{text}" if text and not text.startswith("#") else text


@pages.get("/portals/{portal_id}/design/preview")
async def preview(visit: Visit) -> Response:
    """What the frame beside the form shows first: the design as it is kept."""
    portal = await open_portal(visit)
    return _preview(visit, portal, portal.document["design"])


@pages.post("/portals/{portal_id}/design/preview")
async def preview_of_typed(visit: Visit) -> Response:
    """What the frame shows of a design that nobody has kept yet."""
    return _preview(visit, await open_portal(visit), await typed_design(visit.form))


def _page(visit: Visit, portal: Opened, refused: Refused | None = None) -> Response:
    return show(visit, "design", portal, refused=refused, usual=USUAL)


def _preview(visit: Visit, portal: Opened, design: Document) -> Response:
    brand = swatch(design["brand"], USUAL)
    accent = swatch(design["accent"] or "", brand.colour)
    response = visit.show(
        "staff/portals/design_preview.html",
        portal=portal.document,
        brand=brand,
        accent=accent,
        needed=READABLE,
        logo=logo_address(design["logo"]),
    )
    response.headers["Content-Security-Policy"] = policy(visit.nonce, frame_ancestors=["'self'"])
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


def logo_address(logo: str | None) -> str | None:
    """A logo as an image's address: images run nothing and load nothing."""
    if not logo:
        return None
    return f"data:image/svg+xml;base64,{base64.b64encode(logo.encode()).decode()}"
