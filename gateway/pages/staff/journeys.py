"""`/definitions/journeys`: what customers fill in, as documents."""

from __future__ import annotations

from starlette.responses import Response

from gateway.pages.staff.definitions import Kind, add_definitions
from gateway.routing import Pages
from gateway.visit import Visit

START = {
    "journey": "call_back",
    "title": {"de": "Rückruf", "en": "Call me back"},
    "access": "public",
    "steps": [
        {
            "id": "when",
            "title": {"de": "Wann passt es Ihnen?", "en": "When does it suit you?"},
            "fields": {
                "email": {"type": "email", "required": True},
                "phone": {"type": "phone", "required": True},
            },
        }
    ],
    "email": "answers.email",
    "effects": [{"mail": {"template": "receipt"}}],
}

pages = Pages("staff")


@pages.get("/definitions")
async def definitions(visit: Visit) -> Response:
    return visit.go("/definitions/journeys")


add_definitions(
    pages,
    Kind(
        name="journey",
        root="/definitions/journeys",
        service="journeys",
        path="/journeys",
        trial="form",
        start=START,
        can_withdraw=True,
    ),
)
