"""Events of notifications: what was sent to whom, and what could not be."""

from __future__ import annotations

from pydantic import Field

from contracts.base import Event, Personal
from contracts.common import Language


class _OfMessage(Event, abstract=True):
    message_id: str
    cause: str = Field(description="The event that made it necessary, e.g. billing/2:1234")
    template: str
    language: Language
    contact_id: str | None
    person: str | None
    recipient: Personal[str]
    subject: Personal[str]


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
