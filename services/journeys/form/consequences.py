"""What a submission causes: effects and mapped values as a pure function of definition, answers and what is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import orjson

from chassis.conditions import Facts, holds
from chassis.errors import Rejected
from chassis.texts import ZONE, format_fact
from contracts import journeys as contract
from contracts.common import Json, Language
from contracts.conditions import When
from contracts.journeys import RecordRef
from services.journeys.form import expressions
from services.journeys.form.document import CancelEffect, JourneyDocument, MapEffect
from services.journeys.form.expressions import Path
from services.journeys.form.formats import FORMATS
from services.journeys.form.relevance import Records, relevant

MAXIMUM_MAPPED_BYTES = 96 * 1024


@dataclass(frozen=True, slots=True)
class Situation:
    """What effects refer to besides the answers. `records` are attributes, `refs` the records that targets name.

    `new_id` makes the id of a record that an effect creates, from the place of the effect.
    """

    records: Records
    refs: Mapping[str, RecordRef]
    new_id: Callable[[str, int], str]
    language: Language
    now: datetime


@dataclass(frozen=True, slots=True)
class Consequences:
    """Effects in their order; `mapped` are the values of the `map` effects by their place in it."""

    effects: tuple[contract.Effect, ...]
    mapped: dict[str, dict[str, Json]]
    email: str | None


def consequences(document: JourneyDocument, answers: Mapping[str, Json], situation: Situation) -> Consequences:
    """Everything that follows from answers; only those count that are asked. Raises Rejected when it is too much."""
    deriving = _Deriving(document, answers, situation)
    effects: list[contract.Effect] = []
    mapped: dict[str, dict[str, Json]] = {}
    for effect in document.effects:
        if not deriving.holds(effect.when):
            continue
        place = len(effects)
        if effect.map:
            mapped[str(place)] = values = deriving.values(effect.map)
            effects.append(deriving.mapping(effect.map, place, tuple(values)))
        elif effect.cancel_contract:
            effects.append(deriving.cancellation(effect.cancel_contract))
        elif effect.start_process:
            record = deriving.record(effect.start_process.on)
            effects.append(contract.StartProcessEffect(process=effect.start_process.process, record=record))
        elif effect.mail:
            effects.append(contract.MailEffect(template=effect.mail.template))
    if len(orjson.dumps(mapped)) > MAXIMUM_MAPPED_BYTES:
        raise Rejected("invalid_too_many_answers", limit_bytes=MAXIMUM_MAPPED_BYTES)
    email = deriving.value(document.email)
    return Consequences(tuple(effects), mapped, email if isinstance(email, str) else None)


class _Deriving:
    """Effects one after the other: later ones may name records that earlier ones create."""

    def __init__(self, document: JourneyDocument, answers: Mapping[str, Json], situation: Situation) -> None:
        counting = relevant(document, answers, situation.records, situation.now).answers
        self._facts: Facts = {**situation.records, "answers": counting}
        self._questions = document.questions()
        self._situation = situation
        self._refs = dict(situation.refs)

    def holds(self, when: When) -> bool:
        return holds(when, self._facts, self._situation.now)

    def value(self, raw: Json) -> Json:
        """The value of an expression."""
        today = self._situation.now.astimezone(ZONE).date()
        return expressions.evaluate(expressions.parse(raw), self._facts, today, self._say)

    def record(self, target: str) -> RecordRef:
        """Raises Rejected when there is no such record: the sender is no contact, or it was not created."""
        found = self._refs.get(target)
        if found is None:
            raise Rejected("effect_without_record", target=target)
        return found

    def values(self, effect: MapEffect) -> dict[str, Json]:
        """What is set: an answer that was not given leaves its attribute as it is; only a literal null empties it."""
        values = {name: self.value(raw) for name, raw in effect.set.items()}
        literal = {name for name, raw in effect.set.items() if isinstance(expressions.parse(raw), expressions.Constant)}
        return {name: value for name, value in values.items() if value is not None or name in literal}

    def mapping(self, effect: MapEffect, place: int, attributes: tuple[str, ...]) -> contract.MapEffect:
        if effect.create is None:
            return contract.MapEffect(record=self.record(effect.to or ""), attributes=attributes)
        record = RecordRef(entity=effect.create, id=self._situation.new_id(effect.create, place))
        relations = {relation: (self.record(target).id,) for relation, target in effect.relate.items()}
        if effect.name:
            self._refs[effect.name] = record
        return contract.MapEffect(record=record, attributes=attributes, create=True, relations=relations)

    def cancellation(self, effect: CancelEffect) -> contract.CancelContractEffect:
        special = effect.extraordinary
        return contract.CancelContractEffect(
            contract_id=self.record(effect.contract).id,
            ends_on=_day(self.value(effect.on)),
            extraordinary=special if isinstance(special, bool) else self.holds(special),
        )

    def _say(self, path: Path, value: Json) -> str:
        """A value inside a text for people."""
        language = self._situation.language
        field = self._questions.get(path.name) if path.root == "answers" else None
        if field is not None:
            return field.say(value, language)
        day = date.fromisoformat(value) if isinstance(value, str) and FORMATS.conforms(value, "date") else None
        return format_fact(path.name, day or value, language, {})


def _day(value: Json) -> date | None:
    """Raises Rejected for what is no day."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        raise Rejected("invalid_end_date") from None
