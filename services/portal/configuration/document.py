"""A portal as the document that people write (YAML), strict about every key, and its event form."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from contracts.base import Contract
from contracts.common import Text
from contracts.conditions import When
from contracts.portal import Action, Design, Link, Permission, PortalConfigured, Registration
from services.portal.configuration.ids import numbered, slug
from services.portal.configuration.instalments import InstalmentsDocument

PORTAL_ID = r"^[a-z][a-z0-9-]{0,62}$"
JOURNEY = "journey:"
MAXIMUM_TEXT = 5_000

Name = Annotated[str, StringConstraints(min_length=1, max_length=120, strip_whitespace=True)]
Entity = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
AttributePath = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,39}$")]
TextKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+){1,5}$", max_length=100)]
Address = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
Words = Annotated[str, StringConstraints(max_length=MAXIMUM_TEXT)]


class _Part(Contract):
    model_config = ConfigDict(extra="forbid")


class Names(_Part):
    """A name in every language of the portals."""

    de: Name
    en: Name

    def text(self) -> Text:
        return Text(de=self.de, en=self.en)


class LongText(_Part):
    """A text of a page in every language of the portals."""

    de: Words
    en: Words


class DesignDocument(_Part):
    """How the portal looks. Text on a colour is white or black by itself, whichever can be read."""

    brand: Colour = Design().brand
    accent: Colour | None = None
    logo: Annotated[str, Field(max_length=500_000)] | None = Field(
        default=None, description="The text of an SVG without scripts and references to elsewhere; at most 64 KB"
    )


class RegistrationDocument(_Part):
    """How people become users of the portal."""

    open: bool = True
    assign_by: Literal["primary_email", "none"] = "primary_email"
    second_identification: Annotated[tuple[AttributePath, ...], Field(max_length=5)] = (
        Registration().second_identification
    )
    unknown: Literal["wait_for_staff", "refuse"] = "wait_for_staff"


class PermissionDocument(_Part):
    """What users may see and change of an entity: names of its groups or attributes."""

    see: Annotated[tuple[Entity, ...], Field(max_length=200)] = ()
    change: Annotated[tuple[Entity, ...], Field(max_length=200)] = ()


class ActionDocument(_Part):
    """A journey that is offered at a place while its rules hold. The id is the journey's where it is left out."""

    id: Id | None = None
    title: Names
    journey: Id
    place: Entity = Field(description="The entity at whose page it stands, e.g. contract")
    when: When = ()


class LinkDocument(_Part):
    """A link to somewhere else, or to a public journey. The id is made of the English title where it is left out."""

    id: Id | None = None
    title: Names
    to: Address = Field(description="An https address, or journey:<id>")
    place: Entity | None = Field(default=None, description="The entity at whose page it stands; null: on every page")
    when: When = ()


EXAMPLE: dict[str, Any] = {
    "portal": "customers",
    "audience": "customer",
    "name": {"de": "Mein Lindenau", "en": "My Lindenau"},
    "url": "https://portal.lindenau.example",
    "design": {"brand": "#0B6E4F"},
    "registration": {"second_identification": ["contact.customer_number"], "unknown": "wait_for_staff"},
    "permissions": {
        "contract": {"see": ["general", "cancellation"]},
        "contact": {"see": ["reach"], "change": ["phone"]},
    },
    "actions": [
        {
            "id": "cancel",
            "title": {"de": "Vertrag kündigen", "en": "Cancel contract"},
            "journey": "cancellation",
            "place": "contract",
            "when": [{"contract.status": {"is": "active"}}],
        }
    ],
    "links": [{"title": {"de": "Störung melden", "en": "Report an outage"}, "to": "https://example.org/outage"}],
    "instalments": {"down_percent": 20, "by_contract_type": {"gas": {"down_percent": 10}}},
    "texts": {"start.welcome": {"de": "Willkommen!", "en": "Welcome!"}},
    "embed": ["https://www.example.org"],
}


class PortalDocument(_Part):
    """The whole configuration of a portal."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE})

    portal: Annotated[str, StringConstraints(pattern=PORTAL_ID)]
    audience: Literal["customer", "installer"]
    name: Names
    url: Address = Field(description="Where people reach the portal; links in mails begin with it")
    enabled: bool = True
    design: DesignDocument = DesignDocument()
    registration: RegistrationDocument = RegistrationDocument()
    permissions: Annotated[dict[Entity, PermissionDocument], Field(max_length=50)] = Field(
        default={}, description="By entity; what is not named is not shown"
    )
    actions: Annotated[tuple[ActionDocument, ...], Field(max_length=100)] = ()
    links: Annotated[tuple[LinkDocument, ...], Field(max_length=100)] = ()
    instalments: InstalmentsDocument = InstalmentsDocument()
    texts: Annotated[dict[TextKey, LongText], Field(max_length=500)] = Field(
        default={}, description="Texts of pages by their key, e.g. start.welcome"
    )
    embed: Annotated[tuple[Address, ...], Field(max_length=20)] = Field(
        default=(), description="Origins that may show the portal's pages in a frame"
    )

    def event(self) -> PortalConfigured:
        actions = numbered([each.id or each.journey for each in self.actions], [each.id for each in self.actions])
        links = numbered([each.id or slug(each.title.en) for each in self.links], [each.id for each in self.links])
        return PortalConfigured(
            portal_id=self.portal,
            audience=self.audience,
            name=self.name.text(),
            url=self.url.rstrip("/"),
            enabled=self.enabled,
            design=Design(**self.design.model_dump()),
            registration=Registration(**self.registration.model_dump()),
            permissions={entity: Permission(**each.model_dump()) for entity, each in self.permissions.items()},
            actions=tuple(
                Action(id=id_, title=each.title.text(), journey=each.journey, place=each.place, when=each.when)
                for id_, each in zip(actions, self.actions, strict=True)
            ),
            links=tuple(
                Link(id=id_, title=each.title.text(), to=each.to, place=each.place, when=each.when)
                for id_, each in zip(links, self.links, strict=True)
            ),
            instalments=self.instalments.settings(),
            texts={key: Text(de=each.de, en=each.en) for key, each in self.texts.items()},
            embed=tuple(origin.rstrip("/") for origin in self.embed),
        )

    @classmethod
    def of(cls, event: PortalConfigured) -> PortalDocument:
        """The document that says the same; nothing is checked again."""
        values = event.model_dump(exclude={"portal_id", "instalments"})
        return cls.model_validate({"portal": event.portal_id, **values}).model_copy(
            update={"instalments": InstalmentsDocument.of(event.instalments)}
        )
