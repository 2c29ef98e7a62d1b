"""What a gateway needs of a portal before anybody has signed in, colours ready to be used."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.common import Text
from contracts.portal import PortalConfigured
from services.portal.configuration.colours import palette
from services.portal.offers.rules import Journeys, OfferedLink, links_for_everybody


class Colours(BaseModel):
    """A colour and what can be read on it and beside it: contrasts are 4.5 at least."""

    model_config = ConfigDict(frozen=True)

    colour: str
    on: str = Field(description="Text on the colour: #ffffff or #000000")
    text: str = Field(description="The colour where it is text on white: itself, or darker")

    @classmethod
    def of(cls, colour: str) -> Colours:
        found = palette(colour)
        return cls(colour=found.colour, on=found.on, text=found.text)


class Appearance(BaseModel):
    """How a portal presents itself."""

    model_config = ConfigDict(frozen=True)

    portal: str
    audience: Literal["customer", "installer"]
    enabled: bool
    name: Text
    url: str
    brand: Colours
    accent: Colours
    logo: str | None = Field(description="The text of an SVG that neither runs nor loads anything")
    texts: dict[str, Text]
    embed: tuple[str, ...] = Field(description="Origins for frame-ancestors")
    registration_open: bool
    links: list[OfferedLink] = Field(description="Links of every page that no rule is asked for, for everybody")

    @classmethod
    def of(cls, portal: PortalConfigured, journeys: Journeys) -> Appearance:
        return cls(
            portal=portal.portal_id,
            audience=portal.audience,
            enabled=portal.enabled,
            name=portal.name,
            url=portal.url,
            brand=Colours.of(portal.design.brand),
            accent=Colours.of(portal.design.accent or portal.design.brand),
            logo=portal.design.logo,
            texts=portal.texts,
            embed=portal.embed,
            registration_open=portal.registration.open,
            links=links_for_everybody(portal, journeys),
        )
