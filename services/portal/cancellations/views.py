"""The last cancellation of each contract, and the last one that was not possible."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from chassis.views import View
from contracts.billing import (
    Basis,
    CancellationConfirmed,
    CancellationRefused,
    CancellationRequested,
    CancellationWithdrawn,
    ContractTerminated,
)
from contracts.envelope import Envelope

Status = Literal["requested", "confirmed", "withdrawn", "ended"]


class Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Cancellation(Document):
    """A cancellation; `ended`: the contract has ended by it."""

    cancellation_id: str
    status: Status
    requested_on: date
    ends_on: date
    basis: Basis
    notice: str
    reason: str | None
    decided_at: datetime | None = None


class Refusal(Document):
    """A cancellation that was asked for and not possible."""

    code: str
    submission_id: str | None
    refused_at: datetime


class CancellationDoc(Document):
    cancellation: Cancellation | None = None
    refusal: Refusal | None = None

    @property
    def last_day(self) -> date | None:
        """The last day of a contract that ends by a cancellation, or is to."""
        last = self.cancellation
        return last.ends_on if last and last.status != "withdrawn" else None


def key(envelope: Envelope) -> str | None:
    event = envelope.event
    return event.contract_id if isinstance(event, EVENTS) else None


def evolve(before: CancellationDoc | None, envelope: Envelope) -> CancellationDoc | None:
    doc = before or CancellationDoc()
    match envelope.event:
        case CancellationRequested() as event:
            cancellation = Cancellation(
                cancellation_id=event.cancellation_id,
                status="requested",
                requested_on=event.requested_on,
                ends_on=event.ends_on,
                basis=event.basis,
                notice=event.notice,
                reason=event.reason,
            )
            return CancellationDoc(cancellation=cancellation)
        case CancellationRefused() as event:
            refusal = Refusal(code=event.code, submission_id=event.submission_id, refused_at=envelope.time)
            return doc.model_copy(update={"refusal": refusal})
        case CancellationConfirmed() | ContractTerminated() as event:
            status: Status = "confirmed" if isinstance(event, CancellationConfirmed) else "ended"
            return _decided(doc, event.cancellation_id, status, envelope.time, event.ends_on)
        case CancellationWithdrawn() as event:
            return _decided(doc, event.cancellation_id, "withdrawn", envelope.time)
        case _:
            return before


def _decided(
    doc: CancellationDoc, cancellation_id: str, status: Status, at: datetime, ends_on: date | None = None
) -> CancellationDoc:
    cancellation = doc.cancellation
    if cancellation is None or cancellation.cancellation_id != cancellation_id:
        return doc
    changes = {"status": status, "decided_at": at, "ends_on": ends_on or cancellation.ends_on}
    return doc.model_copy(update={"cancellation": cancellation.model_copy(update=changes)})


EVENTS = (
    CancellationRequested,
    CancellationRefused,
    CancellationConfirmed,
    CancellationWithdrawn,
    ContractTerminated,
)

CANCELLATIONS = View("cancellations", 1, CancellationDoc, EVENTS, key, evolve)
