"""What the APIs answer about Ben, who has a contract with an open task, an overdue payment and a running process."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx

from tests.gateway.world import World, user, visiting

TODAY = datetime.now(UTC).date()
CONTRACT = "0b7e9a52-93f9-5bb1-8b8c-1f0f6a1f8a11"
INSTANCE = "86216e2c-fcd2-5d7e-b11a-418fa53ca5c6"
SUBMISSION = "5f78452e1aa3406a9dec57e94a501ed9"
FILE = "4bbe2c89e70549fbbde77afef64d1d89"
RECORD = {"entity": "contract", "id": CONTRACT, "title": "V-1003"}


def both(de: str, en: str) -> dict[str, str]:
    return {"de": de, "en": en}


def day(shift: int) -> str:
    return str(TODAY + timedelta(days=shift))


def short(iso: str) -> str:
    """A date as German pages write it."""
    return date.fromisoformat(iso).strftime("%d.%m.%Y")


def page(*items: dict[str, Any], next: str | None = None) -> dict[str, Any]:  # noqa: A002 as the APIs name it
    return {"items": list(items), "next": next}


def balance(amount_cents: int = 0, overdue_cents: int = 0) -> dict[str, Any]:
    return {"currency": "EUR", "amount_cents": amount_cents, "overdue_cents": overdue_cents}


def contract(**more: Any) -> dict[str, Any]:
    return {
        "id": CONTRACT,
        "number": "V-1003",
        "division": "gas",
        "product": "Erdgas Komfort",
        "status": "active",
        "starts_on": "2021-10-01",
        "ends_on": None,
        "in_words": {"division": both("Gas", "Gas"), "status": both("Aktiv", "Active")},
        **more,
    }


def listed(**more: Any) -> dict[str, Any]:
    paid = {"due_on": day(20), "amount_cents": 14_200, "currency": "EUR"}
    return {**contract(), "balance": balance(28_900, 28_900), "next_payment": paid, **more}


def event(external_id: str, **more: Any) -> dict[str, Any]:
    return {
        "external_id": external_id,
        "kind": "instalment",
        "direction": "debit",
        "amount_cents": 14_200,
        "currency": "EUR",
        "due_on": day(-10),
        "paid_on": None,
        "status": "open",
        "overdue": True,
        "contract_id": CONTRACT,
        "contract_number": "V-1003",
        **more,
    }


def step(id_: str, title: str, status: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "title": both(title, f"{title} (en)"),
        "info": None,
        "status": status,
        "is_active": status == "active",
        "is_certain": True,
        "due_on": None,
        "done_at": None,
        "is_mine": False,
        **more,
    }


def process(status: str = "open", **more: Any) -> dict[str, Any]:
    return {
        "instance_id": INSTANCE,
        "process_id": "cancellation",
        "title": both("Kündigung Ihres Vertrags", "Cancellation of your contract"),
        "status": status,
        "record": RECORD,
        "started_at": "2026-11-10T09:30:00Z",
        "ended_at": None if status == "open" else "2026-11-12T09:30:00Z",
        "steps": [
            step("check", "Wir prüfen", "done", done_at="2026-11-11T09:30:00Z"),
            step("proof", "Nachweis einreichen", "active", is_mine=True),
            step("confirm", "Bestätigung", "pending"),
        ],
        **more,
    }


def task(status: str = "open", **more: Any) -> dict[str, Any]:
    return {
        "instance_id": INSTANCE,
        "step_id": "proof",
        "status": status,
        "title": both("Nachweis einreichen", "Send proof"),
        "info": both("Bitte senden Sie uns einen Nachweis.", "Please send us proof."),
        "journey_id": "upload_proof",
        "done_on": "confirm",
        "submission_id": None,
        "due_on": day(14),
        "overdue": False,
        "assigned_at": "2026-11-10T09:30:00Z",
        "process_id": "cancellation",
        "process_title": both("Kündigung Ihres Vertrags", "Cancellation of your contract"),
        "record": RECORD,
        **more,
    }


def effect(kind: str, status: str, de: str, **more: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("code", "record", "instance_id", "ends_on"))
    return {"kind": kind, "status": status, "text": both(de, f"{de} (en)"), **nothing, **more}


def file(**more: Any) -> dict[str, Any]:
    return {
        "file_id": FILE,
        "field": "proof",
        "media_type": "application/pdf",
        "size_bytes": 48_213,
        "submission_id": SUBMISSION,
        "reference": "VQZ8-MCQB",
        "title": both("Vertrag kündigen", "Cancel contract"),
        "record": RECORD,
        "submitted_at": "2026-11-10T09:30:00Z",
        **more,
    }


def request(status: str = "done", *effects: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "submission_id": SUBMISSION,
        "reference": "VQZ8-MCQB",
        "journey_id": "cancellation",
        "title": both("Vertrag kündigen", "Cancel contract"),
        "status": status,
        "record": RECORD,
        "task": None,
        "submitted_at": "2026-11-10T09:30:00Z",
        "effects": list(effects),
        "files": [file()],
        **more,
    }


def notice(id_: str, read: bool = False) -> dict[str, Any]:
    return {
        "notice_id": id_,
        "kind": "task_assigned",
        "title": both("Neue Aufgabe: Nachweis einreichen", "New task: Send proof"),
        "target": {"task": {"instance_id": INSTANCE, "step_id": "proof"}, "record": RECORD},
        "group": None,
        "posted_at": "2026-11-10T09:30:00Z",
        "read_at": "2026-11-11T09:30:00Z" if read else None,
    }


def me(**more: Any) -> dict[str, Any]:
    return {
        "status": "ready",
        "user": {"id": "u-1", "name": "Ben Krüger", "email": "ben@example.org", "language": "de"},
        "contact": {"id": "c-1", "first_name": "Ben", "last_name": "Krüger"},
        "actions": [{"id": "move", "title": both("Umzug melden", "Report a move"), "journey_id": "move"}],
        "links": [
            {"id": "outage", "title": both("Störung melden", "Report an outage"), "to": "https://www.example.org/out"},
            {"id": "read", "title": both("Zählerstand", "Meter reading"), "to": "journey:reading"},
        ],
        "open_tasks": 3,
        "unread_notices": 2,
        **more,
    }


def plan(amount_cents: int = 14_200) -> dict[str, Any]:
    schedule = [{"due_on": day(20 + 30 * n), "amount_cents": amount_cents} for n in range(8)]
    return {"amount_cents": amount_cents, "currency": "EUR", "valid_from": day(-200), "schedule": schedule}


def details(**more: Any) -> dict[str, Any]:
    attribute = {"name": "notice", "label": both("Kündigungsfrist", "Notice period"), "type": "period", "text": None}
    unknown = {"name": "initial", "label": both("Erstlaufzeit", "Initial term"), "type": "number", "text": None}
    return {
        "contract": contract(),
        "delivery": {"street": "Am Anger 3", "postcode": "01945", "city": "Tettau"},
        "balance": balance(),
        "next_payment": {"due_on": day(20), "amount_cents": 14_200, "currency": "EUR"},
        "billing_events": [event("paid", overdue=False, status="closed", paid_on=day(-9))],
        "instalments": {"plan": plan(), "pending": None, "last_decision": None},
        "coming_instalments": plan()["schedule"],
        "groups": [
            {
                "id": "terms",
                "label": both("Laufzeit", "Term"),
                "attributes": [{**attribute, "value": "P14D"}, {**unknown, "value": None}],
            }
        ],
        "cancellation": None,
        "processes": [],
        "actions": [{"id": "cancel", "title": both("Vertrag kündigen", "Cancel contract"), "journey_id": "cancel"}],
        "links": [],
        "documents": [],
        **more,
    }


def preview(**more: Any) -> dict[str, Any]:
    return {
        "amount_cents": 14_200,
        "currency": "EUR",
        "lower_limit_cents": 11_360,
        "upper_limit_cents": 28_400,
        "possible_on": day(0),
        "effective_from": day(20),
        "refusal": None,
        "pending": None,
        "schedule": plan()["schedule"],
        **more,
    }


def ending(**more: Any) -> dict[str, Any]:
    possible = {"ends_on": "2027-09-30", "basis": "renewal", "notice": "P1M", "explanation": "Zum Ende der Laufzeit."}
    return {"next_possible": possible, "refusal": None, **more}


def world() -> World:
    """All that the pages of Ben ask for."""
    made = World()
    made.answer("GET", "portal", "/me", me())
    made.answer("GET", "portal", "/tasks", page(task()))
    made.answer("GET", "portal", f"/tasks/{INSTANCE}/proof", {"task": task(), "process": process()})
    made.answer("GET", "portal", "/processes", page(process()))
    made.answer("GET", "portal", f"/processes/{INSTANCE}", process())
    made.answer("GET", "portal", "/notices", page(notice("n-1"), notice("n-2", read=True)))
    made.answer("GET", "portal", "/contracts", page(listed()))
    made.answer("GET", "portal", f"/contracts/{CONTRACT}", details())
    made.answer("GET", "portal", f"/contracts/{CONTRACT}/billing-events", page(event("late")))
    made.answer("GET", "portal", "/billing-events", page(event("late"), next="behind"))
    made.answer("GET", "portal", "/requests", page(request()))
    made.answer("GET", "portal", f"/requests/{SUBMISSION}", request())
    made.answer("GET", "portal", "/documents", page(file()))
    made.answer("GET", "billing", f"/contracts/{CONTRACT}/cancellation-preview", ending())
    made.answer("GET", "billing", f"/contracts/{CONTRACT}/instalment-preview", preview())
    answered = {"label": both("Warum?", "Why?"), "text": "Ich ziehe um", "field": "reason", "step": "reason"}
    sent = {"summary": [answered], "file_names": {FILE: "Kündigung Wohnung.pdf"}}
    made.answer("GET", "journeys", f"/submissions/{SUBMISSION}/content", sent)
    made.answer("GET", "journeys", "/drafts", {"items": []})
    return made


async def shown(made: World, path: str, language: str = "de", **owner: Any) -> httpx.Response:
    async with visiting(made, owner=user(language=language, **owner), language=language) as browser:
        return await browser.get(path)
