"""Events of notifications: what was sent to whom, and what could not be."""

from __future__ import annotations

from pydantic import Field

from contracts.base import Contract, Event, Personal
from contracts.common import Json, Language, Text


class _OfMessage(Event, abstract=True):
    message_id: str
    cause: str = Field(description="The event that made it necessary, e.g. billing/2:1234")
    template: str
    language: Language
    contact_id: str | None
    person: str | None
    recipient: Personal[str]
    subject: Personal[str]
    submission_id: str | None = Field(default=None, description="The submission that asked for it")
    effect: int | None = Field(default=None, description="Which effect of the submission it is")


class MessageSent(_OfMessage, service="notifications"):
    """The mail server accepted a message."""

    attempts: int


class MessageFailed(_OfMessage, service="notifications"):
    """A message was given up: refused for good, or its attempts are used up."""

    attempts: int
    reason: str


class MessageResendRequested(Event, service="notifications"):
    """A member of staff wants a message to go out once more, or at once; who it was is the event's actor."""

    message_id: str


class Wording(Contract):
    """How a mail is worded in one language, with variables."""

    subject: str
    preview: str = Field(description="What mail programs show beside the subject")
    body: str = Field(description="MJML")
    text: str = Field(description="The same as plain text")


class TemplateChanged(Event, service="notifications"):
    """A portal's own wording of a mail; null for a language: the standard one."""

    portal_id: str
    template: str
    de: Wording | None
    en: Wording | None


class NoticePosted(Event, service="notifications"):
    """Something to read in the portal: for one contact, or for staff (one of them, a group, or all)."""

    notice_id: str
    cause: str
    kind: str = Field(description="e.g. task_done, task_assigned, cancellation_confirmed")
    contact_id: str | None
    group: str | None = Field(description="Null with no contact and no staff_id either: all staff")
    title: Text
    target: dict[str, Json] = Field(description="What it leads to, e.g. the record and the task")
    portal_id: str | None
    staff_id: str | None = Field(default=None, description="The member of staff whom it is for")
