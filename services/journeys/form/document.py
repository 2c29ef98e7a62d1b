"""A journey as the document that people write (journey.yaml): its steps, their fields, and what a submission causes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field as Described

from contracts.common import Json
from contracts.conditions import When
from contracts.journeys import Access
from services.journeys.form.fields import Field, InfoField, OpenField, Question
from services.journeys.form.words import Id, Name, Paragraphs, Part, Words

MAXIMUM_STEPS = 30
MAXIMUM_FIELDS = 50
MAXIMUM_EFFECTS = 20
MAXIMUM_ATTRIBUTES = 100

Target = Annotated[Name, Described(description="context, contact, or the `as` of a record that was created before")]


class Step(Part):
    """A page of questions. It has `fields`, or a JSON Schema of its own with a label for each property."""

    id: Name
    title: Words | None = None
    text: Paragraphs | None = None
    when: When = ()
    fields: Annotated[dict[Name, Field], Described(min_length=1, max_length=MAXIMUM_FIELDS)] | None = None
    own_schema: dict[str, Json] | None = Described(default=None, alias="schema")
    labels: Annotated[dict[Name, Words], Described(max_length=MAXIMUM_FIELDS)] = Described(default={})

    def entries(self) -> Mapping[str, Question | InfoField]:
        """What stands on the page, in its order."""
        return self.fields or dict(_properties(self))

    def questions(self) -> dict[str, Question]:
        """Whatever can be answered, in the order of the page."""
        return {name: field for name, field in self.entries().items() if isinstance(field, Question)}


class MapEffect(Part):
    """Attributes of a record take values. `create` makes a new one, which later effects call by `as`."""

    to: Target | None = None
    create: Name | None = None
    name: Name | None = Described(default=None, alias="as")
    set: Annotated[dict[Name, Json], Described(max_length=MAXIMUM_ATTRIBUTES)] = Described(default={})
    relate: Annotated[dict[Name, Target], Described(max_length=MAXIMUM_ATTRIBUTES)] = Described(default={})


class CancelEffect(Part):
    """A contract is to be cancelled. `extraordinary` may be told by conditions."""

    contract: Literal["context"] = "context"
    on: Json = Described(
        default=None, description="A date: answers.ends_on, today, 2027-01-31; null: as soon as possible"
    )
    extraordinary: bool | When = False


class StartEffect(Part):
    """A process begins."""

    process: Id
    on: Target = "context"


class MailEffect(Part):
    """A mail goes to the submitter."""

    template: Name


class Effect(Part):
    """One thing that a submission causes, while its conditions hold."""

    when: When = ()
    map: MapEffect | None = None
    cancel_contract: CancelEffect | None = None
    start_process: StartEffect | None = None
    mail: MailEffect | None = None

    def kinds(self) -> list[str]:
        """Which effects it names: a valid one names exactly one."""
        return [kind for kind in EFFECT_KINDS if getattr(self, kind) is not None]


EFFECT_KINDS = ("map", "cancel_contract", "start_process", "mail")


class JourneyDocument(Part):
    """A whole journey."""

    journey: Id
    title: Words
    description: Paragraphs | None = None
    access: Access = "portal"
    context: Name | None = None
    steps: Annotated[tuple[Step, ...], Described(min_length=1, max_length=MAXIMUM_STEPS)]
    effects: Annotated[tuple[Effect, ...], Described(max_length=MAXIMUM_EFFECTS)] = ()
    email: str | None = Described(
        default=None, description="Where mails go when the submitter is no contact: answers.x"
    )
    submit: Words | None = Described(default=None, description="What the button that sends it is called")
    confirmation: Paragraphs | None = None

    def step(self, id_: str) -> Step | None:
        return next((step for step in self.steps if step.id == id_), None)

    def questions(self) -> dict[str, Question]:
        """All fields that can be answered; their names are unique in a journey."""
        return {name: field for step in self.steps for name, field in step.questions().items()}


def _properties(step: Step) -> Iterator[tuple[str, OpenField]]:
    own: Mapping[str, Any] = step.own_schema or {}
    properties, required = own.get("properties"), own.get("required")
    for name, schema in (properties if isinstance(properties, dict) else {}).items():
        needed = isinstance(required, list) and name in required
        told = schema if isinstance(schema, dict) else {}
        yield name, OpenField(label=step.labels.get(name), required=needed, own=told)
