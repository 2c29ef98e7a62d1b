"""Answers of people: tidied, checked against their step, and every mistake told by its field."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
from jsonschema.exceptions import ValidationError

from chassis.documents import Mistake
from chassis.errors import Rejected
from chassis.texts import ZONE
from contracts.common import Json
from services.journeys.form.document import JourneyDocument, Step
from services.journeys.form.fields import FilesField, MoneyField, Question
from services.journeys.form.flaws import Flaw
from services.journeys.form.relevance import Answers, Records, relevant
from services.journeys.form.schemas import errors_of, schema_of

MAXIMUM_STEP_BYTES = 64 * 1024
MAXIMUM_BYTES = 96 * 1024
"""Of all answers; they must fit into an event twice, encrypted."""
MAXIMUM_VALUES = 1_000
MAXIMUM_DEPTH = 10
MAXIMUM_NUMBER = 2**53
MAXIMUM_MISTAKES = 50


class InvalidAnswers(Rejected):
    """Answers that do not fit; the fact `mistakes` says what is wrong with which field."""

    def __init__(self, mistakes: Sequence[Mistake], steps: Sequence[str]) -> None:
        super().__init__("invalid_answers", mistakes=tuple(mistakes), steps=tuple(steps))


@dataclass(frozen=True, slots=True)
class Checked:
    """Answers that are kept, and what is wrong with them.

    `shown`: the fields of each step that are asked; none where there are answers to questions that nobody asks.
    """

    answers: Answers
    shown: Mapping[str, tuple[str, ...]]
    flaws: tuple[Flaw, ...]
    steps: tuple[str, ...] = ()

    @property
    def right(self) -> Answers:
        """The answers with which nothing is wrong."""
        wrong = {flaw.place[0] for flaw in self.flaws if flaw.place}
        return {name: value for name, value in self.answers.items() if name not in wrong}


def check_step(
    document: JourneyDocument,
    step: Step,
    *,
    given: Mapping[str, Json],
    stored: Answers,
    records: Records,
    now: datetime,
) -> Checked:
    """The answers of one step beside those that were stored before; what is not asked is left out.

    Raises Rejected when the step as a whole is not asked, or the answers are beyond all measure.
    """
    questions = step.questions()
    _refuse_excess(given)
    unknown = [name for name in given if name not in questions]
    if unknown:
        return Checked({}, {}, tuple(Flaw((name[:60],), "answer_unknown") for name in unknown), (step.id,))
    others = {name: value for name, value in stored.items() if name not in questions}
    tidied = {name: questions[name].tidy(value) for name, value in given.items()}
    mine = {name: value for name, value in tidied.items() if value is not None}
    _refuse_too_large({**others, **mine})
    found = relevant(document, {**others, **mine}, records, now)
    if step.id not in found.shown:
        raise Rejected("step_not_asked", step=step.id)
    counting = {name: value for name, value in found.answers.items() if name in questions}
    flaws = tuple(flaws_of_answers(step, found.shown[step.id], counting, now.astimezone(ZONE).date()))
    return Checked(counting, found.shown, flaws, (step.id,) if flaws else ())


def check_all(document: JourneyDocument, stored: Answers, records: Records, now: datetime) -> Checked:
    """All answers that count, checked once more in the light of all others; `steps` names those with mistakes."""
    found = relevant(document, stored, records, now)
    today = now.astimezone(ZONE).date()
    flaws: list[Flaw] = []
    steps: list[str] = []
    for step in document.steps:
        if step.id in found.shown:
            mine = {name: found.answers[name] for name in step.questions() if name in found.answers}
            wrong = list(flaws_of_answers(step, found.shown[step.id], mine, today))
            flaws += wrong
            steps += [step.id] if wrong else []
    _refuse_too_large(found.answers)
    return Checked(found.answers, found.shown, tuple(flaws), tuple(steps))


def flaws_of_answers(step: Step, shown: Sequence[str], answers: Answers, today: date) -> Iterator[Flaw]:
    """What is wrong with the answers to the fields of a step that are asked."""
    questions = step.questions()
    required = [name for name in shown if name in questions and questions[name].required]
    schema = schema_of(step, shown, required, today)
    for error, _ in zip(errors_of(schema, dict(answers)), range(MAXIMUM_MISTAKES), strict=False):
        yield _flaw(step, error)


WITH_LIMIT = {
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength"),
    *("minItems", "maxItems", "uniqueItems", "pattern", "multipleOf"),
}
"""Keywords of JSON Schema whose sentences are `answer_<keyword>` and may name the limit."""


def _flaw(step: Step, error: ValidationError) -> Flaw:
    place = tuple(error.absolute_path)
    field = step.questions().get(str(place[0])) if place else None
    code, facts = _said(str(error.validator), error.validator_value, field)
    return Flaw(place, code, facts)


def _said(keyword: str, limit: Any, field: Question | None) -> tuple[str, dict[str, object]]:
    """The code for a keyword that failed, and what its sentence names."""
    match keyword:
        case "required":
            return field.if_missing if field else "answer_missing", {}
        case "minItems" if isinstance(field, FilesField):
            return field.if_missing, {}
        case "type" if isinstance(field, MoneyField):
            return "answer_money", {}
        case "type" | "format" if isinstance(limit, str):
            return f"answer_{limit.replace('-', '_')}", {}
        case "const" if limit is True:
            return "answer_confirm", {}
        case "enum":
            return "answer_choice", {}
        case "minimum" | "maximum" if isinstance(field, MoneyField):
            return f"answer_{keyword}_cents", {"limit_cents": limit, "currency": field.currency}
        case "formatMinimum" | "formatMaximum":
            code = "answer_earliest" if keyword == "formatMinimum" else "answer_latest"
            return code, {"limit": date.fromisoformat(limit)}
        case _ if keyword in WITH_LIMIT:
            return f"answer_{keyword}", {"limit": limit}
        case _:
            return "answer_invalid", {}


def _refuse_excess(given: Mapping[str, Any]) -> None:
    """Raises Rejected for what cannot be stored or would take too long to check."""
    if _count(given, 0) > MAXIMUM_VALUES:
        raise Rejected("invalid_too_many_answers", limit_bytes=MAXIMUM_STEP_BYTES)
    if len(orjson.dumps(given)) > MAXIMUM_STEP_BYTES:
        raise Rejected("invalid_too_many_answers", limit_bytes=MAXIMUM_STEP_BYTES)


def _refuse_too_large(answers: Answers) -> None:
    if len(orjson.dumps(answers)) > MAXIMUM_BYTES:
        raise Rejected("invalid_too_many_answers", limit_bytes=MAXIMUM_BYTES)


def _count(value: Any, depth: int) -> int:
    """How many values there are. Raises Rejected for one that JSON or the database could not keep."""
    if depth > MAXIMUM_DEPTH:
        raise Rejected("invalid_too_many_answers", limit_bytes=MAXIMUM_STEP_BYTES)
    match value:
        case dict():
            return 1 + sum(_count(name, depth) + _count(each, depth + 1) for name, each in value.items())
        case list():
            return 1 + sum(_count(each, depth + 1) for each in value)
        case str() if any(_is_unprintable(character) for character in value):
            raise Rejected("invalid_characters")
        case bool() | None | str():
            return 1
        case int() | float() if abs(value) <= MAXIMUM_NUMBER:
            return 1
        case _:
            raise Rejected("invalid_number")


def _is_unprintable(character: str) -> bool:
    return character not in "\n\r\t" and unicodedata.category(character) in {"Cc", "Cs"}
