"""The rules for instalments as people write them: for contract types only what differs."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from contracts.portal import InstalmentRules, InstalmentSettings

MAXIMUM_CONTRACT_TYPES = 50
ContractType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]


class Override(InstalmentRules):
    """Rules of one contract type: what is left out is as in all others."""

    model_config = ConfigDict(extra="forbid")


class InstalmentsDocument(InstalmentRules):
    """Inside which limits customers may change instalments; null switches a limit off."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "down_percent": 20,
                "up_percent": 100,
                "minimum_cents": 1000,
                "days_before_due": 10,
                "once_per_days": 30,
                "not_while_overdue": True,
                "by_contract_type": {"gas": {"down_percent": 10}},
            }
        },
    )

    by_contract_type: Annotated[dict[ContractType, Override], Field(max_length=MAXIMUM_CONTRACT_TYPES)] = Field(
        default={}, description="By division, e.g. electricity or gas: only what differs"
    )

    def settings(self) -> InstalmentSettings:
        """The rules as the event has them: complete for every contract type."""
        default = InstalmentRules(**self.model_dump(exclude={"by_contract_type"}))
        by_type = {
            name: default.model_copy(update=override.model_dump(exclude_unset=True))
            for name, override in self.by_contract_type.items()
        }
        return InstalmentSettings(default=default, by_contract_type=by_type)

    @classmethod
    def of(cls, settings: InstalmentSettings) -> InstalmentsDocument:
        default = settings.default.model_dump()
        overrides = {
            name: Override(**{field: value for field, value in rules.model_dump().items() if value != default[field]})
            for name, rules in settings.by_contract_type.items()
        }
        return cls(**default, by_contract_type=overrides)
