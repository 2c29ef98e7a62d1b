"""What an ERP sends in, as CloudEvents on `portico.erp.in` or by `POST /erp/...`: one schema for both ways."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from contracts.base import ORGANISATION, Contract
from contracts.billing import BillingKind, BillingStatus, Direction
from contracts.common import Cents, Currency, Instalment

Reference = Annotated[
    str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]*$")
]
Sentence = Annotated[str, StringConstraints(max_length=500, strip_whitespace=True, pattern=r"^[^\x00]*$")]
Amount = Annotated[Cents, Field(ge=0, strict=True)]
MAXIMUM_SCHEDULE = 120
MAXIMUM_MESSAGE_BYTES = 64 * 1024


class ErpMessage(Contract):
    """A message about one contract, which the ERP names by its own number."""

    model_config = ConfigDict(extra="forbid")
    type: ClassVar[str]

    contract: Reference = Field(description="The contract's number in the ERP; also the Kafka key")

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.type = f"{ORGANISATION}.erp.{cls.__name__}.v1"
        ERP_REGISTRY[cls.type] = cls


ERP_REGISTRY: dict[str, type[ErpMessage]] = {}


class InstalmentPlan(ErpMessage):
    """The plan in force with its full forward schedule; it replaces the plan before."""

    amount_cents: Amount
    currency: Currency = "EUR"
    valid_from: date
    schedule: Annotated[tuple[Instalment, ...], Field(max_length=MAXIMUM_SCHEDULE)]

    @model_validator(mode="after")
    def _in_order(self) -> InstalmentPlan:
        dues = [item.due_on for item in self.schedule]
        if dues != sorted(set(dues)):
            raise ValueError("schedule: due dates must rise")
        return self


class BillingEvent(ErpMessage):
    """A billing event as it stands now; sent again with the same external id it replaces what was known."""

    external_id: Reference
    kind: BillingKind
    direction: Direction = "debit"
    amount_cents: Amount
    currency: Currency = "EUR"
    due_on: date
    paid_on: date | None = None
    status: BillingStatus = "open"


class InstalmentDecision(ErpMessage):
    """The ERP's answer to an InstalmentChanged: taken over (with the schedule that follows) or refused for a reason."""

    change_id: Reference
    decision: Literal["confirmed", "refused"]
    reason: Sentence | None = None
    schedule: Annotated[tuple[Instalment, ...], Field(max_length=MAXIMUM_SCHEDULE)] = ()

    @model_validator(mode="after")
    def _says_why(self) -> InstalmentDecision:
        if self.decision == "refused" and not self.reason:
            raise ValueError("reason: a refusal says why")
        return self
