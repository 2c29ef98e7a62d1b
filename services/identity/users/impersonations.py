"""When staff acted as a user, for him to see: the newest of them, with who it was and why."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from chassis.views import View, ViewReader
from contracts.base import Event
from contracts.envelope import Envelope
from contracts.identity import ImpersonationEnded, ImpersonationStarted, UserDeleted

MOST_KEPT = 100


class ActedAs(BaseModel):
    """Once that somebody acted as the user. `actor` is e.g. `staff/4f1c`."""

    model_config = ConfigDict(frozen=True)

    impersonation_id: str
    actor: str | None
    reason: str
    started_at: datetime
    ended_at: datetime | None = None


class ImpersonationsDoc(BaseModel):
    """Of one user, the newest first."""

    model_config = ConfigDict(frozen=True)

    items: tuple[ActedAs, ...] = ()


_EVENTS: tuple[type[Event], ...] = (ImpersonationStarted, ImpersonationEnded, UserDeleted)


def key(envelope: Envelope) -> str | None:
    return getattr(envelope.event, "user_id", None)


def evolve(doc: ImpersonationsDoc | None, envelope: Envelope) -> ImpersonationsDoc | None:
    items = doc.items if doc else ()
    match envelope.event:
        case ImpersonationStarted(impersonation_id=id_, reason=reason):
            begun = ActedAs(
                impersonation_id=id_, actor=envelope.metadata.actor, reason=reason, started_at=envelope.time
            )
            return ImpersonationsDoc(items=(begun, *items)[:MOST_KEPT])
        case ImpersonationEnded(impersonation_id=id_):
            return ImpersonationsDoc(
                items=tuple(
                    each.model_copy(update={"ended_at": envelope.time}) if each.impersonation_id == id_ else each
                    for each in items
                )
            )
        case _:
            return None


IMPERSONATIONS: View[ImpersonationsDoc] = View("impersonations", 1, ImpersonationsDoc, _EVENTS, key, evolve)
Impersonations = ViewReader[ImpersonationsDoc]
