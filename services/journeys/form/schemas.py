"""Steps as JSON Schema 2020-12, for whoever shows them and for the check of answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import re2
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from contracts.common import Text
from services.journeys.form.document import Step
from services.journeys.form.fields import ChoiceField, ChoicesField, InfoField, OpenField, Question
from services.journeys.form.formats import FORMATS
from services.journeys.form.own_schema import DIALECT
from services.journeys.kinds import KINDS

OPEN_TYPES = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}


def schema_of(step: Step, names: Iterable[str], required: Iterable[str], today: date) -> dict[str, Any]:
    """The schema of the answers to these fields of a step."""
    if step.own_schema is not None:
        return {"$schema": DIALECT, **step.own_schema}
    questions = step.questions()
    return {
        "$schema": DIALECT,
        "type": "object",
        "properties": {name: questions[name].allows(today) for name in names if name in questions},
        "required": [name for name in required if name in questions],
        "additionalProperties": False,
    }


def published_schema(step: Step, today: date) -> dict[str, Any]:
    """The schema of a step as it is served: fields with conditions may be missing; `ui` says when they may not."""
    questions = step.questions()
    required = [name for name, field in questions.items() if field.required and not field.when]
    return schema_of(step, questions, required, today)


def ui_of(step: Step) -> list[dict[str, Any]]:
    """What is needed to show a step, in its order: types, labels, hints, options, conditions."""
    return [_shown(step, name, entry) for name, entry in step.entries().items()]


def _shown(step: Step, name: str, entry: Question | InfoField) -> dict[str, Any]:
    told = entry.model_dump(mode="json", exclude_none=True, exclude={"label", "options", "own", "accept"})
    shown = {"field": name, **told}
    if isinstance(entry, Question):
        shown["label"] = label_of(step, name, entry).model_dump()
    if isinstance(entry, OpenField):
        shown |= _open(entry)
    if isinstance(entry, ChoiceField | ChoicesField):
        shown["options"] = [{"value": value, "label": label.model_dump()} for value, label in entry.options.items()]
    if (accept := getattr(entry, "accept", None)) is not None:
        shown["accept"] = [f".{extension}" for kind in accept for extension in KINDS[kind].extensions]
    return shown


def _open(field: OpenField) -> dict[str, Any]:
    options = field.own.get("enum")
    if isinstance(options, list) and all(isinstance(option, str) for option in options):
        return {"type": "choice", "options": [{"value": each, "label": {"de": each, "en": each}} for each in options]}
    kind = field.own.get("type")
    if field.own.get("format") in ("date", "email", "phone", "iban"):
        return {"type": field.own["format"]}
    return {"type": OPEN_TYPES.get(kind, "schema") if isinstance(kind, str) else "schema"}


def label_of(step: Step, name: str, field: Question) -> Text:
    """What a field is called: its own label, that of its type, or the title of its page."""
    return field.label or field.usual_label or step.title or Text(de=name, en=name)


def _required(_: Any, names: list[str], instance: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        yield from (ValidationError("missing", path=[name]) for name in names if name not in instance)


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not re2.search(pattern, instance):
        yield ValidationError("does not match")


def _format_minimum(_: Any, bound: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    if FORMATS.conforms(instance, "date") and str(instance) < bound:
        yield ValidationError("too early")


def _format_maximum(_: Any, bound: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    if FORMATS.conforms(instance, "date") and str(instance) > bound:
        yield ValidationError("too late")


_Validator = extend(  # type: ignore[no-untyped-call]  # jsonschema says no types here
    Draft202012Validator,
    {
        "required": _required,
        "pattern": _pattern,
        "formatMinimum": _format_minimum,
        "formatMaximum": _format_maximum,
    },
)


def errors_of(schema: dict[str, Any], answers: Any) -> Iterator[ValidationError]:
    """Everything in which answers do not fit a schema. Patterns are RE2's: their time is linear."""
    yield from _Validator(schema, format_checker=FORMATS).iter_errors(answers)
