"""Whether the effects of a document are ones that can be carried out: asked when it is published."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from contracts.common import Json
from services.journeys.form import expressions
from services.journeys.form.document import (
    EFFECT_KINDS,
    CancelEffect,
    Effect,
    JourneyDocument,
    MapEffect,
)
from services.journeys.form.expressions import Constant, Path, Today
from services.journeys.form.fields import CancellationDateField, DateField, EmailField
from services.journeys.form.flaws import Flaw, Place
from services.journeys.form.scope import Scope

RECORDS = ("context", "contact")


def flaws_of_effects(document: JourneyDocument) -> Iterator[Flaw]:
    """What is wrong with the effects, and with where mails go."""
    scope = Scope.of(document)
    created: list[str] = []
    for number, effect in enumerate(document.effects):
        place: Place = ("effects", number)
        yield from scope.flaws_of_when(effect.when, (*place, "when"), scope.everything)
        yield from _flaws_of_effect(effect, place, scope, created)
        if effect.map and effect.map.name:
            created.append(effect.map.name)
    yield from _flaws_of_email(document, scope)


def _flaws_of_effect(effect: Effect, place: Place, scope: Scope, created: list[str]) -> Iterator[Flaw]:
    kinds = effect.kinds()
    if len(kinds) != 1:
        yield Flaw(place, "effect_one", {"possible": list(EFFECT_KINDS)})
    if effect.map:
        yield from _flaws_of_map(effect.map, (*place, "map"), scope, created)
    if effect.cancel_contract:
        yield from _flaws_of_cancel(effect.cancel_contract, (*place, "cancel_contract"), scope)
    if effect.start_process:
        yield from _flaws_of_target(effect.start_process.on, (*place, "start_process", "on"), scope, created)


def _flaws_of_map(effect: MapEffect, place: Place, scope: Scope, created: list[str]) -> Iterator[Flaw]:
    if (effect.to is None) == (effect.create is None):
        yield Flaw(place, "map_target")
    if effect.to is not None:
        yield from _flaws_of_target(effect.to, (*place, "to"), scope, created)
        for key, value in (("as", effect.name), ("relate", effect.relate or None)):
            if value is not None:
                yield Flaw((*place, key), "only_with_create")
        if not effect.set:
            yield Flaw((*place, "set"), "map_nothing")
    if effect.name in {*RECORDS, *created}:
        yield Flaw((*place, "as"), "name_taken", {"name": effect.name})
    for attribute, raw in effect.set.items():
        yield from scope.flaws_of_expression(raw, (*place, "set", attribute))
    for relation, target in effect.relate.items():
        yield from _flaws_of_target(target, (*place, "relate", relation), scope, created)


def _flaws_of_cancel(effect: CancelEffect, place: Place, scope: Scope) -> Iterator[Flaw]:
    if scope.context != "contract":
        yield Flaw((*place, "contract"), "needs_contract")
    if not isinstance(effect.extraordinary, bool):
        yield from scope.flaws_of_when(effect.extraordinary, (*place, "extraordinary"), scope.everything)
    found = list(scope.flaws_of_expression(effect.on, (*place, "on")))
    yield from found
    if not found and not _is_day(effect.on, scope):
        yield Flaw((*place, "on"), "needs_date")


def _is_day(raw: Json, scope: Scope) -> bool:
    match expressions.parse(raw):
        case Path("answers", name):
            return isinstance(scope.questions[name], DateField | CancellationDateField)
        case Path() | Today() | Constant(None):
            return True
        case Constant(str(text)):
            try:
                return bool(date.fromisoformat(text))
            except ValueError:
                return False
        case _:
            return False


def _flaws_of_target(target: str, place: Place, scope: Scope, created: list[str]) -> Iterator[Flaw]:
    if target == "context" and scope.context is None:
        yield Flaw(place, "no_context")
    elif target == "contact" and scope.public:
        yield Flaw(place, "contact_of_public")
    elif target not in {*RECORDS, *created}:
        yield Flaw(place, "unknown_target", {"name": target, "possible": [*RECORDS, *created]})


def _flaws_of_email(document: JourneyDocument, scope: Scope) -> Iterator[Flaw]:
    if document.email is None:
        if scope.public and any(effect.mail for effect in document.effects):
            yield Flaw(("email",), "email_of_public")
        return
    found = list(scope.flaws_of_expression(document.email, ("email",)))
    yield from found
    match expressions.parse(document.email):
        case Path("answers", name) if found or isinstance(scope.questions[name], EmailField):
            return
        case _ if not found:
            yield Flaw(("email",), "needs_email")
