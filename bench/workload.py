"""What is appended, published and folded: one event of about 250 bytes, as billing writes them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import uuid4

from pydantic import BaseModel

from chassis.decider import Decider
from chassis.log import Append, NewEvent
from chassis.views import View
from contracts.billing import InstalmentChanged
from contracts.envelope import Envelope, Metadata
from contracts.ids import stream_id

KIND = "instalments"
METADATA = Metadata(correlation_id="bench")


def event() -> InstalmentChanged:
    """An event of about 250 bytes."""
    return InstalmentChanged(
        contract_id=uuid4().hex,
        contract_number="V-1001",
        contact_id=None,
        change_id="c-1",
        from_cents=7_800,
        amount_cents=6_500,
        currency="EUR",
        effective_from=date(2026, 12, 1),
        changed_on=date(2026, 11, 21),
        portal_id="customers",
    )


ENCODED = event().model_dump_json().encode()
NEW = NewEvent(InstalmentChanged.type, ENCODED, METADATA)


def new_stream() -> str:
    return f"{KIND}/{uuid4()}"


def append(stream: str, expected: int, events: int) -> Append:
    """The command of a writer."""
    return Append(stream, expected, (NEW,) * events, datetime.now(UTC))


class Amount(BaseModel):
    """The document of the view that is measured."""

    amount_cents: int
    changes: int = 0


def _fold(amount: Amount | None, envelope: Envelope) -> Amount:
    assert isinstance(envelope.event, InstalmentChanged)  # noqa: S101 the only event of the view
    changes = amount.changes if amount else 0
    return Amount(amount_cents=envelope.event.amount_cents, changes=changes + 1)


AMOUNTS = View("bench_amounts", 1, Amount, (InstalmentChanged,), lambda envelope: stream_id(envelope.stream), _fold)
CHANGES: Decider[InstalmentChanged, int] = Decider(
    KIND, 0, lambda command, _: [command], lambda changes, _: changes + 1
)
