"""A billing event as the ERP last told it."""

from __future__ import annotations

from contracts.billing import BillingEventRecorded

BillingEventState = BillingEventRecorded | None


def evolve(_: BillingEventState, event: BillingEventRecorded) -> BillingEventState:
    """The newest account replaces the one before."""
    return event
