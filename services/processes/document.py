"""A process as the document that people write (FORMATS.md), strict about every key, and the plan that it stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chassis.documents import InvalidDocument, Mistake, read_document
from chassis.texts import Texts
from contracts.common import Json, Language, Text
from contracts.conditions import Condition, When
from contracts.processes import (
    Audience,
    Audiences,
    Automation,
    DoneOn,
    GroupAssignee,
    PlannedAssignee,
    RoleAssignee,
    StaffAssignee,
    StepPlan,
)

PROCESS_ID = r"^[a-z][a-z0-9_-]{0,62}$"
STEP_ID = r"^[a-z][a-z0-9_-]{0,39}$"
AUDIENCES: tuple[Audience, ...] = ("customer", "installer")
KNOWN_FACTS = ("contact", "installer", "submission", "answers")
MAXIMUM_STEPS = 50
MAXIMUM_AUTOMATIONS = 10
MAXIMUM_BYTES = 200_000

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
ProcessId = Annotated[str, StringConstraints(pattern=PROCESS_ID)]
StepId = Annotated[str, StringConstraints(pattern=STEP_ID)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=4_000, strip_whitespace=True)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bilingual(_Part):
    """A text for people."""

    de: Words
    en: Words

    def text(self) -> Text:
        return Text(de=self.de, en=self.en)


class Info(_Part):
    """What an audience is told about a step in its portal."""

    customer: Bilingual | None = None
    installer: Bilingual | None = None


class ToGroup(_Part):
    """A group of staff."""

    group: Name


class ToStaff(_Part):
    """One member of staff."""

    staff: Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Due(_Part):
    """Until when a step should be done: days from its turn on."""

    days: Annotated[int, Field(ge=0, le=3_660)]


class Mail(_Part):
    """A mail that is sent. `attach` is refused: records have no files that could be sent."""

    template: Name
    to: Literal["customer", "installer", "staff"] = "customer"
    attach: Annotated[tuple[str, ...], Field(max_length=10)] = ()


class StartProcess(_Part):
    """Another process that begins on the same record."""

    process: ProcessId
    on: Literal["context"] = "context"


class AutomationDocument(_Part):
    """Exactly one of mail, set, start_process and confirm_cancellation."""

    at: Literal["turn", "done"] | None = Field(
        default=None, description="Default: when the step is done; at its turn where nobody is to do it"
    )
    mail: Mail | None = None
    values: Annotated[dict[Name, Json], Field(min_length=1, max_length=50)] | None = Field(default=None, alias="set")
    start_process: StartProcess | None = None
    confirm_cancellation: dict[str, Json] | Literal[True] | None = None

    @property
    def named(self) -> list[str]:
        """The keys that are written."""
        return sorted(self.model_fields_set - {"at"})

    def automation(self, by_itself: bool) -> Automation:
        at = self.at or ("turn" if by_itself else "done")
        if self.mail:
            return Automation(kind="mail", parameters=self.mail.model_dump(mode="json"), at=at)
        if self.values:
            return Automation(kind="set", parameters={"set": self.values}, at=at)
        if self.start_process:
            return Automation(kind="start_process", parameters={"process": self.start_process.process}, at=at)
        return Automation(kind="confirm_cancellation", parameters={}, at=at)


class StepDocument(_Part):
    """A step. Without `assign` any of the staff does it; with automations alone it is done by itself."""

    id: StepId
    title: Bilingual
    description: Bilingual | None = None
    assign: Audience | ToGroup | ToStaff | None = None
    info: Info = Info()
    shown_to: tuple[Audience, ...] | None = Field(
        default=None, description="Default: who has an info text or does the step; customers when nobody has"
    )
    journey: ProcessId | None = None
    done_on: DoneOn = Field(default="confirm", description="submit: sending the journey is enough")
    due: Due | None = None
    when: When = ()
    automation: Annotated[tuple[AutomationDocument, ...], Field(max_length=MAXIMUM_AUTOMATIONS)] = ()

    def plan(self) -> StepPlan:
        by_itself = self.assign is None and self.journey is None
        info = Audiences(**{who: words.text() for who in AUDIENCES if (words := getattr(self.info, who))})
        return StepPlan(
            id=self.id,
            title=self.title.text(),
            description=self.description.text() if self.description else None,
            info=info,
            shown_to=self._shown_to(),
            journey=self.journey,
            done_on=self.done_on,
            assign=_assignee(self.assign),
            due_days=self.due.days if self.due else None,
            when=self.when,
            automation=tuple(each.automation(by_itself) for each in self.automation),
        )

    def _shown_to(self) -> tuple[Audience, ...]:
        if self.shown_to is not None:
            return self.shown_to
        concerned = tuple(who for who in AUDIENCES if getattr(self.info, who) or self.assign == who)
        return concerned or ("customer",)


class ProcessDocument(_Part):
    """A process, attached to records of an entity."""

    process: ProcessId
    title: Bilingual | None = Field(default=None, description="Default: its id")
    on: Name
    responsible: ToGroup | None = Field(
        default=None, description="Who is told when a customer has done his part; default: the next group"
    )
    steps: Annotated[tuple[StepDocument, ...], Field(min_length=1, max_length=MAXIMUM_STEPS)]

    @property
    def text(self) -> Text:
        if self.title:
            return self.title.text()
        name = self.process.replace("_", " ").replace("-", " ").capitalize()
        return Text(de=name, en=name)

    def plans(self) -> tuple[StepPlan, ...]:
        return tuple(step.plan() for step in self.steps)


def read_process(process_id: str, body: Any, texts: Texts, language: Language) -> ProcessDocument:
    """The document of a process. Raises InvalidDocument that names every mistake."""
    document = read_document(ProcessDocument, body, language)
    found = [
        Mistake(path, texts.say(code, language, facts) or code) for path, code, facts in _mistakes(process_id, document)
    ]
    if found:
        raise InvalidDocument(found)
    return document


Found = tuple[str, str, Mapping[str, object]]


def _mistakes(process_id: str, document: ProcessDocument) -> Iterator[Found]:
    if document.process != process_id:
        yield "process", "document_id_differs", {"id": process_id}
    if len(document.model_dump_json(exclude_unset=True)) > MAXIMUM_BYTES:
        yield "", "document_too_large", {"limit": MAXIMUM_BYTES}
    seen: dict[str, int] = {}
    for place, step in enumerate(document.steps):
        if seen.setdefault(step.id, place) != place:
            yield f"steps.{place}.id", "document_step_twice", {"id": step.id}
        if step.done_on == "submit" and not step.journey:
            yield f"steps.{place}.done_on", "document_submit_without_journey", {}
        for root in _roots(step.when):
            if root not in {document.on, *KNOWN_FACTS}:
                possible = sorted({document.on, *KNOWN_FACTS})
                yield f"steps.{place}.when", "document_fact_unknown", {"id": root, "possible": possible}
        for number, automation in enumerate(step.automation):
            yield from _mistakes_of(automation, f"steps.{place}.automation.{number}", document.on)


def _mistakes_of(automation: AutomationDocument, path: str, on: str) -> Iterator[Found]:
    (name, *others) = automation.named or ("",)
    if not name or others or (getattr(automation, name) is None and name != "confirm_cancellation"):
        yield path, "document_one_automation", {}
    elif name == "confirm_cancellation" and on != "contract":
        yield path, "document_confirm_needs_contract", {"id": on}
    elif automation.mail and automation.mail.attach:
        yield f"{path}.mail.attach", "document_attach_not_possible", {}


def _roots(conditions: tuple[Condition, ...]) -> Iterator[str]:
    """What the paths of conditions begin with."""
    for condition in conditions:
        ((key, test),) = condition.items()
        if key in {"any", "all", "not"}:
            yield from _roots(tuple(test) if isinstance(test, list | tuple) else (test,))  # type: ignore[arg-type]  # checked when it was read
        else:
            yield key.partition(".")[0]


def _assignee(assign: Audience | ToGroup | ToStaff | None) -> PlannedAssignee | None:
    match assign:
        case None:
            return None
        case ToGroup(group=group):
            return GroupAssignee(group=group)
        case ToStaff(staff=staff_id):
            return StaffAssignee(staff_id=staff_id)
        case role:
            return RoleAssignee(role=role)
