"""A contract as billing sees it. It is the document of a view and goes into commands: billing's events name it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

CONTRACT = "contract"
"""The name of its entity."""


class SupplyContract(BaseModel):
    """`number` is the contract's id in the ERP, empty when it has none; `division` is the contract type."""

    model_config = ConfigDict(frozen=True)

    id: str
    number: str = ""
    contact_id: str | None = None
    division: str | None = None

    def named(self) -> dict[str, Any]:
        """The fields by which every event of billing names its contract."""
        return {"contract_id": self.id, "contract_number": self.number, "contact_id": self.contact_id}
