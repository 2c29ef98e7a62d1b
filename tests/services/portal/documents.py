"""The portals, schemas and journeys of the tests."""

from __future__ import annotations

from typing import Any

from contracts.base import Event
from contracts.common import Text
from contracts.entities import SchemaPublished
from contracts.journeys import JourneyPublished, JourneyWithdrawn
from tests.services.portal.events import CONTACT_SCHEMA, CONTRACT_SCHEMA

CONTRACT_SEEN = ["general", "cancellation", "delivery", "price_fixed_until"]


def journey(journey_id: str, access: Any = "portal", context: str | None = "contract") -> JourneyPublished:
    return JourneyPublished(
        journey_id=journey_id,
        journey_version=1,
        title=Text(de=f"Journey {journey_id}", en=f"The journey {journey_id}"),
        access=access,
        context=context,
        definition={},
    )


PUBLISHED: dict[str, Event] = {
    "schema/contract": SchemaPublished(entity="contract", schema_version=1, definition=CONTRACT_SCHEMA),
    "schema/contact": SchemaPublished(entity="contact", schema_version=1, definition=CONTACT_SCHEMA),
    "journey/cancellation": journey("cancellation"),
    "journey/upload_proof": journey("upload_proof"),
    "journey/details": journey("details", context="contact"),
    "journey/order": journey("order", access="public", context=None),
    "journey/gone": journey("gone"),
}
WITHDRAWN = JourneyWithdrawn(journey_id="gone")


def action(action_id: str, *when: Any, journey_id: str = "cancellation", place: str = "contract") -> dict[str, Any]:
    title = {"de": f"Aktion {action_id}", "en": f"Action {action_id}"}
    return {"id": action_id, "title": title, "journey": journey_id, "place": place, "when": list(when)}


def link(link_id: str, to: str, *when: Any, place: str | None = None) -> dict[str, Any]:
    return {"id": link_id, "title": {"de": link_id, "en": link_id}, "to": to, "place": place, "when": list(when)}


DOCUMENTS: dict[str, dict[str, Any]] = {
    "customers": {
        "portal": "customers",
        "audience": "customer",
        "name": {"de": "Mein Lindenau", "en": "My Lindenau"},
        "url": "https://portal.lindenau.example",
        "permissions": {
            "contract": {"see": CONTRACT_SEEN, "change": []},
            "contact": {"see": ["customer_number", "first_name", "reach"], "change": ["reach"]},
        },
        "actions": [
            action("cancel", {"contract.status": {"is": "active"}}),
            action("reprice", {"contract.price_fixed_until": {"before": "today"}}),
            action("secret", {"contact.card_valid_until": {"after": "now"}}),
            action("unpublished", journey_id="nowhere"),
            action("details", journey_id="details", place="contact"),
        ],
        "links": [
            link("outage", "https://example.org/outage"),
            link("gas", "https://example.org/gas", {"contract.division": {"is": "gas"}}, place="contract"),
            link("order", "journey:order", place="contract"),
            link("private", "journey:cancellation", place="contract"),
        ],
    },
    "installers": {
        "portal": "installers",
        "audience": "installer",
        "name": {"de": "Fachbetriebe", "en": "Installers"},
        "url": "https://fach.lindenau.example",
        "permissions": {"contract": {"see": ["number", "delivery"]}},
        "actions": [action("meter", {"contact.card_valid_until": {"after": "now"}}, journey_id="upload_proof")],
    },
    "closed": {
        "portal": "closed",
        "audience": "customer",
        "name": {"de": "Zu", "en": "Closed"},
        "url": "https://closed.lindenau.example",
        "enabled": False,
    },
}
