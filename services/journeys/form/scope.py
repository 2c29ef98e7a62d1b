"""What conditions and expressions of a document may ask for, and what is wrong with those that ask for more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from contracts.common import Json
from contracts.conditions import When, places
from services.journeys.form import expressions
from services.journeys.form.document import JourneyDocument
from services.journeys.form.expressions import Broken
from services.journeys.form.fields import Question
from services.journeys.form.flaws import Flaw, Place

MAXIMUM_NAMED = 20


@dataclass(frozen=True, slots=True)
class Scope:
    """The paths of a document. `steps` tells in which step a field is asked, `everything` how many steps there are."""

    questions: Mapping[str, Question]
    steps: Mapping[str, int]
    context: str | None
    public: bool
    everything: int

    @classmethod
    def of(cls, document: JourneyDocument) -> Scope:
        steps = {name: number for number, step in enumerate(document.steps) for name in step.questions()}
        return cls(document.questions(), steps, document.context, document.access == "public", len(document.steps))

    def flaws_of_when(self, when: When, place: Place, before: int) -> Iterator[Flaw]:
        """What is wrong with conditions that may ask for answers of the steps before this number."""
        for path, where in places(when):
            root, _, name = path.partition(".")
            yield from self.flaws_of_path(root, name.partition(".")[0], (*place, *where, path), before)

    def flaws_of_expression(self, raw: Json, place: Place) -> Iterator[Flaw]:
        """What is wrong with an expression of an effect."""
        expression = expressions.parse(raw)
        if isinstance(expression, Broken):
            yield Flaw(place, "template_broken")
        for path in expressions.paths(expression):
            yield from self.flaws_of_path(path.root, path.name, place, self.everything)

    def flaws_of_path(self, root: str, name: str, place: Place, before: int) -> Iterator[Flaw]:
        if root == "answers":
            yield from self._flaws_of_answer(name, place, before)
        elif root == "contact":
            if self.public:
                yield Flaw(place, "contact_of_public")
        elif root in {"context", self.context}:
            if self.context is None:
                yield Flaw(place, "no_context")
        else:
            roots = [each for each in ("answers", "context", self.context, "contact") if each]
            yield Flaw(place, "unknown_root", {"name": root, "possible": list(dict.fromkeys(roots))})

    def _flaws_of_answer(self, name: str, place: Place, before: int) -> Iterator[Flaw]:
        if name not in self.questions:
            near = get_close_matches(name, self.questions, 1) or list(self.questions)[:MAXIMUM_NAMED]
            yield Flaw(place, "unknown_field", {"name": name, "possible": near})
        elif self.steps[name] >= before:
            yield Flaw(place, "condition_later", {"name": name})
