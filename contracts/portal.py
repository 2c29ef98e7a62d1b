"""Events of portal: how a portal is configured, and which notices were read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.base import Contract, Event
from contracts.common import Text
from contracts.conditions import When


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


class Design(Contract):
    """How a portal looks; everything else is derived from it. `logo` is an SVG text."""

    brand: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = "#0b6e4f"
    accent: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] | None = None
    logo: str | None = None


class Registration(Contract):
    """How people become users of a portal."""

    open: bool = Field(default=True, description="Whether people may register themselves")
    assign_by: Literal["primary_email", "none"] = "primary_email"
    second_identification: tuple[str, ...] = Field(
        default=("contact.customer_number",), description="Attributes asked for, of the contact or its contracts"
    )
    unknown: Literal["wait_for_staff", "refuse"] = "wait_for_staff"


class Permission(Contract):
    """What users of a portal may see and change of an entity: names of groups or attributes."""

    see: tuple[str, ...] = ()
    change: tuple[str, ...] = ()


class Action(Contract):
    """A journey that is offered at a place while its rules hold."""

    id: str
    title: Text
    journey: str
    place: str = Field(description="The entity at whose page it stands, e.g. contract")
    when: When = ()


class Link(Contract):
    """A link to somewhere else, or to a public journey."""

    id: str
    title: Text
    to: str = Field(description="An https address, or journey:<id>")
    place: str | None = Field(default=None, description="The entity at whose page it stands; null: on every page")
    when: When = ()


class PortalConfigured(Event, service="portal"):
    """The whole configuration of a portal as it stands from now on."""

    portal_id: str
    audience: Literal["customer", "installer"]
    name: Text
    url: str = Field(description="Where people reach the portal; links in mails begin with it")
    instalments: InstalmentSettings
    enabled: bool = True
    design: Design = Design()
    registration: Registration = Registration()
    permissions: dict[str, Permission] = Field(default={}, description="By entity")
    actions: tuple[Action, ...] = ()
    links: tuple[Link, ...] = ()
    texts: dict[str, Text] = Field(default={}, description="Texts of pages by their key, e.g. start.welcome")
    embed: tuple[str, ...] = Field(default=(), description="Origins that may show the portal's pages in a frame")


class NoticeRead(Event, service="portal"):
    """Somebody has read a notice."""

    notice_id: str
    reader: str = Field(description="contact/<id>, or the subject of a member of staff")
