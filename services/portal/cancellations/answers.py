"""A contract's cancellation as its page shows it, with what may be seen of it."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from chassis.texts import Texts
from contracts.billing import Basis
from contracts.common import Text
from services.portal.cancellations.views import Cancellation, CancellationDoc, Refusal, Status
from services.portal.requests.answers import refusal_text

ENDS_ON, REASON = "ends_on", "cancel_reason"
"""The attributes of a contract whose permissions decide about the same parts of its cancellation."""


class ShownCancellation(BaseModel):
    """The last cancellation; `ended`: the contract has ended by it."""

    model_config = ConfigDict(frozen=True)

    cancellation_id: str
    status: Status
    requested_on: date
    ends_on: date | None = Field(description="Null where users of the portal may not see the attribute ends_on")
    basis: Basis = Field(description="The rule by which it ends on that day")
    notice: str = Field(description="The notice that was kept, e.g. P1M (ISO 8601)")
    reason: str | None = Field(description="Null where users of the portal may not see the attribute cancel_reason")
    decided_at: datetime | None = Field(description="When it was confirmed or withdrawn, or the contract ended")


class ShownRefusal(BaseModel):
    """A cancellation that was asked for since, and was not possible."""

    model_config = ConfigDict(frozen=True)

    code: str
    text: Text
    submission_id: str | None
    refused_at: datetime


class CancellationState(BaseModel):
    """What is known of cancellations of a contract."""

    model_config = ConfigDict(frozen=True)

    last: ShownCancellation | None
    refusal: ShownRefusal | None


def cancellation_answer(
    doc: CancellationDoc | None, seen: frozenset[str] | None, texts: Texts
) -> CancellationState | None:
    if doc is None:
        return None
    last = _shown(doc.cancellation, seen) if doc.cancellation else None
    return CancellationState(last=last, refusal=_refusal(doc.refusal, texts) if doc.refusal else None)


def _shown(cancellation: Cancellation, seen: frozenset[str] | None) -> ShownCancellation:
    return ShownCancellation(
        cancellation_id=cancellation.cancellation_id,
        status=cancellation.status,
        requested_on=cancellation.requested_on,
        ends_on=cancellation.ends_on if seen is None or ENDS_ON in seen else None,
        basis=cancellation.basis,
        notice=cancellation.notice,
        reason=cancellation.reason if seen is None or REASON in seen else None,
        decided_at=cancellation.decided_at,
    )


def _refusal(refusal: Refusal, texts: Texts) -> ShownRefusal:
    return ShownRefusal(
        code=refusal.code,
        text=refusal_text(refusal.code, texts),
        submission_id=refusal.submission_id,
        refused_at=refusal.refused_at,
    )
