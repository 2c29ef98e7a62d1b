"""What the form of a document alone does not say: whether its parts fit each other. Asked when it is published."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from graphlib import CycleError, TopologicalSorter
from typing import Any

import orjson

from services.journeys.form.document import JourneyDocument, Step
from services.journeys.form.effect_checks import flaws_of_effects
from services.journeys.form.fields import (
    CancellationDateField,
    ChoicesField,
    DateField,
    IntegerField,
    LongTextField,
    MoneyField,
    NumberField,
    Question,
    TextField,
)
from services.journeys.form.flaws import Flaw, Place
from services.journeys.form.own_schema import flaws_of as flaws_of_schema
from services.journeys.form.own_schema import has_wild_numbers
from services.journeys.form.relevance import dependencies
from services.journeys.form.scope import Scope
from services.journeys.form.words import is_name

MAXIMUM_BYTES = 200_000
"""Of a document; its event must fit into the log."""


def flaws_of(document: JourneyDocument, body: Any) -> list[Flaw]:
    """Everything that is wrong with a document whose form is right; `body` is how it was written."""
    if has_wild_numbers(body):
        return [Flaw((), "document_number")]
    flaws = [*_flaws_of_names(document), *_flaws_of_steps(document)]
    if len(orjson.dumps(body)) > MAXIMUM_BYTES:
        flaws.append(Flaw((), "document_too_large", {"limit_bytes": MAXIMUM_BYTES}))
    if document.access == "public" and document.context:
        flaws.append(Flaw(("context",), "context_of_public"))
    return [*flaws, *flaws_of_effects(document)]


def _flaws_of_names(document: JourneyDocument) -> Iterator[Flaw]:
    ids: set[str] = set()
    names: dict[str, str] = {}
    for number, step in enumerate(document.steps):
        if step.id in ids:
            yield Flaw(("steps", number, "id"), "step_twice", {"name": step.id})
        ids.add(step.id)
        for name in step.entries():
            if names.setdefault(name, step.id) != step.id:
                yield Flaw(("steps", number, "fields", name), "field_twice", {"name": name, "step": names[name]})
            if not is_name(name):
                yield Flaw(("steps", number, "schema", "properties", name), "name_invalid", {"name": name})


def _flaws_of_steps(document: JourneyDocument) -> Iterator[Flaw]:
    scope = Scope.of(document)
    for number, step in enumerate(document.steps):
        place: Place = ("steps", number)
        yield from scope.flaws_of_when(step.when, (*place, "when"), number)
        if (step.fields is None) == (step.own_schema is None):
            yield Flaw(place, "fields_or_schema")
        if step.own_schema is not None:
            yield from flaws_of_schema(step.own_schema, (*place, "schema"))
        for name in step.labels:
            if step.own_schema is None or name not in step.entries():
                yield Flaw((*place, "labels", name), "label_of_nothing", {"name": name})
        for name, entry in step.entries().items():
            where = (*place, "fields", name)
            yield from scope.flaws_of_when(entry.when, (*where, "when"), number + 1)
            if isinstance(entry, Question):
                yield from _flaws_of_question(entry, step, name, place, document)
        yield from _flaws_of_circles(step, place)


def _flaws_of_question(
    field: Question, step: Step, name: str, place: Place, document: JourneyDocument
) -> Iterator[Flaw]:
    where = (*place, "fields", name)
    if field.label is None and field.usual_label is None:
        if step.own_schema is not None:
            yield Flaw((*place, "labels", name), "text_missing")
        elif step.title is None:
            yield Flaw((*where, "label"), "text_missing")
    if isinstance(field, CancellationDateField) and document.context != "contract":
        yield Flaw((*where, "of"), "needs_contract")
    low, high = _bounds(field)
    if low is not None and high is not None and low > high:
        yield Flaw(where, "bounds_crossed")
    if isinstance(field, ChoicesField) and max(field.min or 1, field.max or 1) > len(field.options):
        yield Flaw(where, "bounds_crossed")


def _bounds(field: Question) -> tuple[Any, Any]:
    match field:
        case TextField() | LongTextField():
            return field.min_length, field.max_length
        case NumberField() | IntegerField() | ChoicesField():
            return field.min, field.max
        case MoneyField():
            return field.min_cents, field.max_cents
        case DateField(min=date() as low, max=date() as high):
            return low, high
        case _:
            return None, None


def _flaws_of_circles(step: Step, place: Place) -> Iterator[Flaw]:
    """A field whose conditions ask, by way of others or directly, for its own answer."""
    try:
        TopologicalSorter(dependencies(step)).prepare()
    except CycleError as error:
        circle = list(error.args[1])
        yield Flaw((*place, "fields", circle[0], "when"), "condition_circle", {"circle": " → ".join(circle)})
