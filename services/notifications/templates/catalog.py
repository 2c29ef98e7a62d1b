"""The mails that there are: whether a mail needs its link, and what must be known before it can go out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

LIFETIME = timedelta(hours=72)
"""How long a message is tried; one whose link carries a secret no longer than that secret lives."""
SECRET_LIFETIME = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Mail:
    """`needs` are values that a mail waits for when they are not known yet."""

    link: bool = False
    needs: tuple[str, ...] = ()
    lifetime: timedelta = LIFETIME


MAILS: Mapping[str, Mail] = {
    "activation": Mail(link=True, lifetime=SECRET_LIFETIME),
    "assigned": Mail(link=True),
    "cancellation_confirmed": Mail(needs=("ends_on",)),
    "instalment_confirmed": Mail(link=True),
    "instalment_refused": Mail(link=True),
    "instalment_requested": Mail(link=True),
    "invitation": Mail(link=True),
    "password_reset": Mail(link=True, lifetime=SECRET_LIFETIME),
    "receipt": Mail(),
    "task_assigned": Mail(link=True),
    "task_done": Mail(),
    "task_overdue": Mail(link=True),
}
OWN = Mail()
"""A mail that only a portal's own wording makes: processes and journeys may name it."""


def mail_of(template: str) -> Mail:
    return MAILS.get(template, OWN)
