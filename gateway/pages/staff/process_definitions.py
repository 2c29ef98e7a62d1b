"""`/definitions/processes`: what happens after something was sent, as documents."""

from __future__ import annotations

from gateway.pages.staff.definitions import Kind, add_definitions
from gateway.routing import Pages

START = {
    "process": "call_back",
    "title": {"de": "Rückruf", "en": "Call back"},
    "on": "contract",
    "steps": [
        {
            "id": "call",
            "title": {"de": "Wir rufen Sie an", "en": "We call you"},
            "assign": {"group": "customer_service"},
            "info": {
                "customer": {
                    "de": "Wir melden uns in den nächsten Tagen.",
                    "en": "We will be in touch in the next few days.",
                }
            },
        }
    ],
}

pages = Pages("staff")
add_definitions(
    pages,
    Kind(
        name="process",
        root="/definitions/processes",
        service="processes",
        path="/definitions",
        trial="plan",
        start=START,
        can_withdraw=False,
    ),
)
