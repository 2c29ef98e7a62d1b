"""What the APIs answer staff about Ben, his contract with a process under way, and Dora, whom nobody knows yet."""

from __future__ import annotations

from typing import Any

import httpx

from services.entities.app import PACKAGED
from tests.gateway.pages.customer_data import both, details, page
from tests.gateway.world import World, soup

BEN = "a99d48aa-c6a1-5d9e-986c-283b2767f2f2"
CONTRACT = "0b7e9a52-93f9-5bb1-8b8c-1f0f6a1f8a11"
INSTANCE = "86216e2c-fcd2-5d7e-b11a-418fa53ca5c6"
COMPANY = "5d2c0d7e-1f0b-5c0e-9a55-6a7d1b2c3d4e"
DORA = "e7f24967-6d54-47e3-8084-9976d1022eee"
MARIA = "c4244107-7516-4326-87c2-7fe47219f26f"
PLACE = f"/contracts/{CONTRACT}"
PROCESS = f"/processes/{INSTANCE}"
STEP = f"{PROCESS}/steps/confirm"
PORTALS = page({"portal": "customers", "name": both("Mein Lindenau", "My Lindenau"), "enabled": True})


def record(entity: str, id_: str, number: str, **more: Any) -> dict[str, Any]:
    return {
        "entity": entity,
        "id": id_,
        "external_id": number,
        "version": 3,
        "person": f"contact/{BEN}",
        "erased": False,
        "attributes": {},
        "personal": {},
        "relations": {},
        **more,
    }


def ben(**personal: Any) -> dict[str, Any]:
    known = {"first_name": "Ben", "last_name": "Krüger", "email": "ben@example.org", "city": "Tettau"}
    attributes = {"customer_number": "K-1002", "language": "de", "divisions": ["gas"]}
    return record("contact", BEN, "K-1002", attributes=attributes, personal={**known, **personal})


def contract() -> dict[str, Any]:
    attributes = {"number": "V-1003", "status": "in_cancellation", "division": "gas", "product": "Erdgas Komfort"}
    attributes |= {"starts_on": "2021-10-01", "notice": "P1M"}
    return record("contract", CONTRACT, "V-1003", attributes=attributes, relations={"holder": [BEN]})


def company() -> dict[str, Any]:
    attributes = {"company_number": "F-3001", "name": "Elektro Wendt GmbH", "legal_form": "gmbh"}
    person = {"city": "Lindenau", "phone": "+49 30 23125 301"}
    return record("company", COMPANY, "F-3001", person=f"company/{COMPANY}", attributes=attributes, personal=person)


def happened(service: str, type_: str, at: str, **data: Any) -> dict[str, Any]:
    """An event as a service tells it at /history; its position is `at`'s minute."""
    return {
        "position": f"{service}/1:{int(at[14:16])}",
        "stream": "instalments/1",
        "version": 1,
        "type": f"portico.{service}.{type_}.v1",
        "time": at,
        "actor": None,
        "acted_as": None,
        "cause": None,
        "correlation_id": None,
        "data": data,
    }


def entry(version: int, name: str, before: Any, after: Any, actor: str | None = f"staff/{MARIA}") -> dict[str, Any]:
    """An event in the history of a record."""
    return {
        "version": version,
        "position": f"entities/2:{version}",
        "time": "2026-11-22T02:03:52Z",
        "what": "changed",
        "actor": actor,
        "acted_as": None,
        "cause": None,
        "correlation_id": "b30692de5d01103ea575f93976fadbee",
        "changes": [{"name": name, "before": before, "after": after, "personal": False}],
        "erased": False,
        "submission_id": None,
        "code": None,
        "attribute": None,
    }


def maria(**more: Any) -> dict[str, Any]:
    return {
        "staff_id": MARIA,
        "email": "maria@lindenau.example",
        "name": "Maria Kern",
        "groups": ["customer_service"],
        "roles": ["staff"],
        "language": "de",
        "blocked": False,
        "erased": False,
        "registered": True,
        **more,
    }


def dora(**more: Any) -> dict[str, Any]:
    """A portal user who has registered and belongs to nobody."""
    return {
        "user_id": DORA,
        "portal_id": "customers",
        "email": "dora@example.org",
        "name": "Dora Maria Fuchs",
        "language": "de",
        "already_customer": False,
        "registration": "registered",
        "assignment": "pending",
        "contact_id": None,
        "assigned_by": None,
        "contact_refusal": None,
        "blocked": False,
        "expires_at": None,
        "registered_at": "2026-11-20T09:00:00Z",
        "mailed_at": "2026-11-20T09:00:00Z",
        "activated_at": "2026-11-20T09:05:00Z",
        "signed_in_at": None,
        "erased": False,
        "contact_number": None,
        "contact_name": None,
        "standing": "waiting",
        "candidates": [],
        **more,
    }


def step(id_: str, title: str, status: str = "pending", **more: Any) -> dict[str, Any]:
    plan = {
        "id": id_,
        "title": both(title, title),
        "description": None,
        "info": {"customer": None, "installer": None},
        "shown_to": ["customer"],
        "journey": None,
        "done_on": "confirm",
        "assign": {"kind": "group", "group": "customer_service"},
        "due_days": None,
        "when": [],
        "automation": [],
    }
    assignee = {"kind": "group", "group": "customer_service"} if status != "pending" else None
    known = {"due_on": None, "submission_id": None, "reported_at": None, "activated_at": "2026-11-20T09:00:00Z"}
    return {
        "plan": plan,
        "status": status,
        "assignee": assignee,
        **known,
        "over_at": None,
        "by": None,
        "reason": None,
        **more,
    }


def instance(**more: Any) -> dict[str, Any]:
    active = step("confirm", "Kündigung wird bestätigt", "active", due_on="2026-11-01")
    done = step("check", "Angaben prüfen", "done", over_at="2026-11-20T10:00:00Z", by=f"staff/{MARIA}")
    return {
        "id": INSTANCE,
        "process_id": "cancellation",
        "process_version": 2,
        "title": both("Kündigung", "Cancellation"),
        "record": {"entity": "contract", "id": CONTRACT},
        "contact_id": BEN,
        "portal_id": "customers",
        "submission_id": None,
        "started_by": None,
        "responsible": "customer_service",
        "status": "open",
        "started_at": "2026-11-20T09:00:00Z",
        "ended_at": None,
        "reason": None,
        "by": None,
        "steps": [done, active],
        "active": active,
        **more,
    }


def task(**more: Any) -> dict[str, Any]:
    return {
        "instance_id": INSTANCE,
        "step_id": "confirm",
        "process_id": "cancellation",
        "process_title": both("Kündigung", "Cancellation"),
        "record": {"entity": "contract", "id": CONTRACT},
        "title": both("Kündigung wird bestätigt", "The cancellation is confirmed"),
        "description": None,
        "info": None,
        "journey": None,
        "done_on": "confirm",
        "submitted": False,
        "assignee": {"kind": "group", "group": "customer_service"},
        "activated_at": "2026-11-20T09:00:00Z",
        "due_on": "2026-11-01",
        "overdue": True,
        **more,
    }


def desk() -> World:
    """A world in which all that pages of staff ask for is there."""
    world = World()
    schemas = [dict(PACKAGED[name].document) for name in ("company", "contact", "contract")]
    world.answer("GET", "entities", "/schemas", {"items": schemas})
    for schema in schemas:
        world.answer("GET", "entities", f"/schemas/{schema['entity']}", schema)
    for each in (ben(), contract(), company()):
        path = f"/records/{each['entity']}"
        world.answer("GET", "entities", path, page(each))
        world.answer("GET", "entities", f"{path}/{each['id']}", each)
        world.answer("GET", "entities", f"{path}/{each['id']}/history", page(entry(2, "language", "en", "de")))
    world.answer("GET", "entities", "/imports", page())
    world.answer("GET", "portal", f"/contracts/{CONTRACT}/billing-events", page())
    for service in ("billing", "processes", "identity"):
        world.answer("GET", service, "/history", page())
    world.answer("GET", "identity", "/staff", page(maria()))
    world.answer("GET", "identity", "/users", page(dora()))
    world.answer("GET", "identity", f"/users/{DORA}", dora())
    world.answer("GET", "portal", "/portals", PORTALS)
    world.answer("GET", "portal", "/portals/customers", PORTALS["items"][0])
    world.answer("GET", "portal", f"/contracts/{CONTRACT}", details())
    world.answer("GET", "portal", "/staff/overview", {"waiting_users": 3, "open_tasks": 12, "failures": 1})
    world.answer("GET", "portal", "/staff/failures", page())
    world.answer("GET", "portal", "/notices", page())
    world.answer("GET", "processes", "/tasks", page(task()))
    world.answer("GET", "processes", "/instances", page(instance()))
    world.answer("GET", "processes", f"/instances/{INSTANCE}", instance())
    definition = {"process": "cancellation", "on": "contract", "title": both("Kündigung", "Cancellation"), "steps": []}
    world.answer("GET", "processes", "/definitions", page(definition))
    mail = {"id": "m-1", "template": "receipt", "state": "failed", "created_at": "2026-11-20T09:00:00Z"}
    world.answer("GET", "notifications", "/messages", page(mail))
    return world


def links(response: httpx.Response) -> set[str]:
    return {str(link["href"]) for link in soup(response).select("main a")}
