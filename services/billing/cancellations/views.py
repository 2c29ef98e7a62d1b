"""Contracts with the terms by which they end, from their records."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from chassis.views import View
from contracts.common import Json
from contracts.entities import EntityChanged, EntityCreated
from contracts.envelope import Envelope
from services.billing.cancellations.state import CancellableContract, Terms
from services.billing.contracts.state import SupplyContract
from services.billing.contracts.views import CONTRACTS

STATUS = "status"
ATTRIBUTES = frozenset(
    {"starts_on", "initial_term_months", "notice", "renewal_months", "basic_supply", "price_change_on", STATUS}
)


class ContractTerms(BaseModel):
    """A contract, and those attributes of its record that its end depends on."""

    model_config = ConfigDict(frozen=True)

    contract: SupplyContract
    attributes: dict[str, Json]

    @property
    def cancellable(self) -> CancellableContract:
        status = self.attributes.get(STATUS)
        return CancellableContract(
            self.contract, Terms.read(self.attributes), status if isinstance(status, str) else None
        )


def _evolve(terms: ContractTerms | None, envelope: Envelope) -> ContractTerms | None:
    contract = CONTRACTS.evolve(terms.contract if terms else None, envelope)
    if contract is None:
        return None
    attributes = {} if terms is None or isinstance(envelope.event, EntityCreated) else terms.attributes
    if isinstance(envelope.event, EntityCreated | EntityChanged):
        told = {name: value for name, value in envelope.event.attributes.items() if name in ATTRIBUTES}
        attributes = {name: value for name, value in {**attributes, **told}.items() if value is not None}
    return ContractTerms(contract=contract, attributes=attributes)


CONTRACT_TERMS = View(
    name="contract_terms",
    version=1,
    document=ContractTerms,
    events=CONTRACTS.events,
    key=CONTRACTS.key,
    evolve=_evolve,
)
