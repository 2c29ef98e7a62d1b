"""What can be wrong, with a document as with answers: a place, a code, and the facts that its sentence needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chassis.documents import Mistake
from chassis.texts import Texts
from contracts.common import Language

Place = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong at a place, e.g. `("steps", 0, "fields", "reason")`, or `("reason",)` among answers."""

    place: Place
    code: str
    facts: Mapping[str, object] = field(default_factory=dict)


def tell(flaws: Iterable[Flaw], texts: Texts, language: Language) -> list[Mistake]:
    """The flaws in sentences; several of one place and sentence are told once."""
    told = (
        Mistake(".".join(map(str, flaw.place)), texts.say(flaw.code, language, flaw.facts) or flaw.code)
        for flaw in flaws
    )
    return list(dict.fromkeys(told))
