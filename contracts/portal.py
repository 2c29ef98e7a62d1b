"""Events of portal: how a portal is configured."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.base import Contract, Event
from contracts.common import Text


class InstalmentRules(Contract):
    """Inside which limits a customer may change an instalment. Null switches a limit off."""

    down_percent: Annotated[int, Field(ge=0, le=100)] | None = 20
    up_percent: Annotated[int, Field(ge=0, le=10_000)] | None = 100
    minimum_cents: Annotated[int, Field(ge=0)] = 1_000
    days_before_due: Annotated[int, Field(ge=0, le=366)] = 10
    once_per_days: Annotated[int, Field(ge=1, le=3_660)] | None = 30
    not_while_overdue: bool = True


class InstalmentSettings(Contract):
    """The rules of a portal, and those of contract types that differ."""

    default: InstalmentRules = InstalmentRules()
    by_contract_type: dict[str, InstalmentRules] = Field(default={}, description="By division, e.g. electricity or gas")

    def rules_for(self, contract_type: str | None) -> InstalmentRules:
        return self.by_contract_type.get(contract_type or "", self.default)


class PortalConfigured(Event, service="portal"):
    """The whole configuration of a portal as it stands from now on."""

    portal_id: str
    audience: Literal["customer", "installer"]
    name: Text
    url: str = Field(description="Where people reach the portal; links in mails begin with it")
    instalments: InstalmentSettings
