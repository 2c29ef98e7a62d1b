"""A process to play with: the cancellation of FORMATS.md, and what is known of its record."""

from datetime import UTC, datetime
from typing import Any

from contracts.common import Text
from contracts.journeys import RecordRef
from services.processes.document import ProcessDocument
from services.processes.instances.decider import Blueprint, Start
from services.processes.situation import Situation

NOW = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
RECORD = RecordRef(entity="contract", id="c-1")
DOCUMENT: dict[str, Any] = {
    "process": "cancellation",
    "on": "contract",
    "steps": [
        {
            "id": "check",
            "title": {"de": "Daten werden geprüft", "en": "We check your details"},
            "assign": {"group": "customer_service"},
            "info": {"customer": {"de": "Das dauert zwei Tage.", "en": "This takes two days."}},
        },
        {
            "id": "proof",
            "title": {"de": "Nachweis einreichen", "en": "Send proof"},
            "assign": "customer",
            "journey": "upload_proof",
            "due": {"days": 14},
            "info": {"customer": {"de": "Bitte laden Sie ihn hoch.", "en": "Please upload it."}},
            "when": [{"contract.cancel_reason": {"is": "moving"}}],
        },
        {
            "id": "decide",
            "title": {"de": "Entscheidung", "en": "Decision"},
            "assign": {"group": "back_office"},
            "shown_to": [],
        },
        {
            "id": "confirmed",
            "title": {"de": "Kündigung bestätigt", "en": "Cancellation confirmed"},
            "automation": [
                {"confirm_cancellation": {}},
                {"mail": {"template": "cancellation_confirmed", "to": "customer"}},
            ],
        },
    ],
}


def blueprint(document: dict[str, Any] | None = None, version: int = 1) -> Blueprint:
    read = ProcessDocument.model_validate(document or DOCUMENT)
    return Blueprint(
        process_id=read.process,
        version=version,
        title=read.text,
        on=read.on,
        steps=read.plans(),
        responsible=read.responsible.group if read.responsible else None,
    )


def situation(reason: str | None = "moving", **contacts: str) -> Situation:
    known = {"contract": {"cancel_reason": reason}} if reason else {}
    return Situation(known, contacts or {"customer": "anna"}, NOW)  # type: ignore[arg-type]  # roles as keywords


def start(document: dict[str, Any] | None = None, **facts: Any) -> Start:
    drawn = blueprint(document)
    given: dict[str, Any] = {
        "instance_id": "i-1",
        "process_id": drawn.process_id,
        "blueprint": drawn,
        "record": RECORD,
        "situation": situation(),
        "portal_id": "customers",
        "submission_id": "s-1",
        "effect": 2,
    }
    return Start(**{**given, **facts})


def text(words: str) -> Text:
    return Text(de=words, en=words)
