"""What was wrong with a form, put at the field that it is about."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.api import Refused
from gateway.visit import Form, Visit

UNPROCESSABLE = 422


def at_field(refused: Refused, fields: Mapping[str, str]) -> Refused:
    """The same refusal as a mistake of a field; `fields` has it by the beginning of the code."""
    for code, name in fields.items():
        if refused.code.startswith(code):
            mistakes = [{"path": name, "detail": refused.detail}]
            return Refused(refused.status, {**refused.facts, "mistakes": mistakes})
    return refused


def missing(visit: Visit, fields: Mapping[str, str]) -> Refused | None:
    """A refusal of what was left empty; `fields` has the key of a sentence by the name."""
    mistakes = [
        {"path": name, "detail": visit.rendering.texts.say(key, visit.language)}
        for name, key in fields.items()
        if not visit.form[name]
    ]
    return Refused(UNPROCESSABLE, {"code": "incomplete", "mistakes": mistakes}) if mistakes else None


def secret(form: Form, name: str) -> str:
    """A password as it was typed: spaces belong to it."""
    return next(iter(form.all(name)), "")
