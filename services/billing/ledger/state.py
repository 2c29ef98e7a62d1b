"""The billing events of a contract as the ERP last told them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from contracts.billing import BillingEventRecorded

LedgerEvent = BillingEventRecorded


@dataclass(frozen=True, slots=True)
class Ledger:
    """`events` by the ERP's id of each."""

    events: Mapping[str, BillingEventRecorded] = field(default_factory=dict)


def evolve(ledger: Ledger, event: LedgerEvent) -> Ledger:
    """The ledger after an event: the newest account of a billing event replaces the one before."""
    match event:
        case BillingEventRecorded():
            return Ledger({**ledger.events, event.external_id: event})
        case _:
            assert_never(event)
