"""A world with one portal, two schemas and two journeys, for tests of the staff's settings."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from tests.gateway.world import STAFF, Browser, World, member, visiting

PORTAL = "/portals/customers"
LOGO = '<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h1v1z"/></svg>'


def both(de: str, en: str) -> dict[str, str]:
    return {"de": de, "en": en}


CONTACT: dict[str, Any] = {
    "entity": "contact",
    "label": both("Kontakt", "Contact"),
    "title": {"attribute": "last_name"},
    "person": "self",
    "groups": {
        "general": {"label": both("Allgemein", "General"), "attributes": ["customer_number", "last_name", "divisions"]},
        "reach": {"label": both("Erreichbarkeit", "How to reach"), "attributes": ["email", "phone"]},
    },
    "attributes": {
        "customer_number": {"type": "text", "unique": True, "label": both("Kundennummer", "Customer number")},
        "last_name": {"type": "text", "personal": True, "label": both("Nachname", "Last name")},
        "divisions": {"type": "choices", "options": {"gas": both("Gas", "Gas"), "heat": both("Wärme", "Heat")}},
        "email": {"type": "email", "personal": True, "label": both("E-Mail", "E-mail")},
        "phone": {"type": "phone", "personal": True, "label": both("Telefon", "Phone")},
        "nickname": {"type": "text", "label": both("Rufname", "Nickname")},
    },
}
CONTRACT: dict[str, Any] = {
    "entity": "contract",
    "label": both("Vertrag", "Contract"),
    "title": {"attribute": "number"},
    "person": "holder",
    "groups": {
        "general": {"label": both("Generelle Details", "General details"), "attributes": ["number", "status"]},
        "terms": {"label": both("Laufzeit und Frist", "Term and notice"), "attributes": ["starts_on", "notice"]},
    },
    "attributes": {
        "number": {"type": "text", "unique": True, "label": both("Vertragsnummer", "Contract number")},
        "status": {
            "type": "choice",
            "decided_by": "billing",
            "label": both("Status", "Status"),
            "options": {
                "draft": both("Entwurf", "Draft"),
                "active": both("Aktiv", "Active"),
                "terminated": both("Beendet", "Terminated"),
            },
        },
        "division": {
            "type": "choice",
            "required": True,
            "label": both("Sparte", "Division"),
            "options": {"gas": both("Gas", "Gas"), "heat": both("Wärme", "Heat")},
        },
        "product": {"type": "text", "label": both("Produkt", "Product")},
        "starts_on": {"type": "date", "label": both("Beginn", "Start")},
        "notice": {"type": "period", "label": both("Kündigungsfrist", "Notice period")},
        "initial_term_months": {"type": "number", "label": both("Erstlaufzeit in Monaten", "Initial term in months")},
        "basic_supply": {"type": "boolean", "label": both("Grundversorgung", "Basic supply")},
        "cancel_reason": {"type": "text", "personal": True, "purpose": ["customer_service"]},
    },
    "relations": {"holder": {"to": "contact", "required": True, "label": both("Vertragsinhaber", "Holder")}},
}
SCHEMAS = {"contact": CONTACT, "contract": CONTRACT}
CANCEL: dict[str, Any] = {
    "id": "cancel",
    "title": both("Vertrag kündigen", "Cancel contract"),
    "journey": "cancellation",
    "place": "contract",
    "when": [{"contract.status": {"is": "active"}}, {"contract.starts_on": {"before": "today"}}],
}
OUTAGE: dict[str, Any] = {
    "id": "outage",
    "title": both("Störung melden", "Report an outage"),
    "to": "https://www.example.org/outage",
    "place": None,
    "when": [],
}


def portal(**parts: Any) -> dict[str, Any]:
    """A portal as its API answers it."""
    return {
        "portal": "customers",
        "audience": "customer",
        "name": both("Mein Lindenau", "My Lindenau"),
        "url": "https://portal.lindenau.example",
        "enabled": True,
        "design": {"brand": "#0B6E4F", "accent": None, "logo": LOGO},
        "registration": {
            "open": True,
            "assign_by": "primary_email",
            "second_identification": ["contact.customer_number"],
            "unknown": "wait_for_staff",
        },
        "permissions": {"contact": {"see": ["general", "reach"], "change": ["phone"]}},
        "actions": [CANCEL],
        "links": [OUTAGE],
        "instalments": {
            "down_percent": 20,
            "up_percent": 100,
            "minimum_cents": 1000,
            "days_before_due": 10,
            "once_per_days": 30,
            "not_while_overdue": True,
            "by_contract_type": {"gas": {"down_percent": 10}, "heat": {"down_percent": 10}},
        },
        "texts": {},
        "embed": ["https://www.example.org"],
        **parts,
    }


def world_with_portal(**parts: Any) -> World:
    world = World()
    world.answer("GET", "portal", PORTAL, portal(**parts), ETag='"4"')
    world.answer("GET", "portal", "/portals", {"items": [portal(**parts)], "next": None})
    world.answer("PUT", "portal", PORTAL, {**portal(), "warnings": []})
    world.answer("GET", "entities", "/schemas", {"items": [CONTACT, CONTRACT]})
    journeys = [
        {"journey": "cancellation", "title": both("Vertrag kündigen", "Cancel contract"), "access": "portal"},
        {"journey": "call_me", "title": both("Rückruf", "Call me back"), "access": "public"},
    ]
    world.answer("GET", "journeys", "/journeys", {"items": journeys, "next": None})
    return world


def staff(world: World, language: str = "de") -> AbstractAsyncContextManager[Browser]:
    """A member of staff at his site."""
    return visiting(world, STAFF, member(language=language), language)


def written(world: World) -> dict[str, Any]:
    """The portal's document that was put last."""
    document: dict[str, Any] = world.calls_to("PUT", "portal", PORTAL)[-1].body
    return document
