"""A portal as the document that people write (portal.yaml), strict about every key, and its event form."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from contracts.base import Contract
from contracts.common import Text
from contracts.portal import InstalmentRules, InstalmentSettings, PortalConfigured

MAXIMUM_CONTRACT_TYPES = 50
PORTAL_ID = r"^[a-z][a-z0-9-]{0,62}$"


def _address(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.query and not parts.fragment
    except ValueError:
        usable = False
    if not usable or any(character.isspace() for character in value):
        raise ValueError("must be an address such as https://portal.example.org, without ? and #")
    return value.rstrip("/")


Name = Annotated[str, StringConstraints(min_length=1, max_length=120, strip_whitespace=True)]
PortalId = Annotated[str, StringConstraints(pattern=PORTAL_ID)]
ContractType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
Address = Annotated[str, StringConstraints(max_length=300), AfterValidator(_address)]


class Names(Text):
    """A name in every language of the portals."""

    model_config = ConfigDict(extra="forbid")

    de: Name
    en: Name


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


class PortalDocument(Contract):
    """The whole configuration of a portal."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "portal": "customers",
                "audience": "customer",
                "name": {"de": "Mein Lindenau", "en": "My Lindenau"},
                "url": "https://portal.lindenau.example",
                "instalments": {"down_percent": 20, "by_contract_type": {"gas": {"down_percent": 10}}},
            }
        },
    )

    portal: PortalId
    audience: Literal["customer", "installer"]
    name: Names
    url: Address = Field(description="Where people reach the portal; links in mails begin with it")
    instalments: InstalmentsDocument = InstalmentsDocument()

    def event(self) -> PortalConfigured:
        return PortalConfigured(
            portal_id=self.portal,
            audience=self.audience,
            name=Text(de=self.name.de, en=self.name.en),
            url=self.url,
            instalments=self.instalments.settings(),
        )

    @classmethod
    def of(cls, event: PortalConfigured) -> PortalDocument:
        return cls.model_construct(
            portal=event.portal_id,
            audience=event.audience,
            name=Names.model_construct(de=event.name.de, en=event.name.en),
            url=event.url,
            instalments=InstalmentsDocument.of(event.instalments),
        )
