"""Events of entities: records (contacts, contracts, ...), their relations and imports."""

from __future__ import annotations

from pydantic import Field

from contracts.base import Event, Personal
from contracts.common import Json


class EntityCreated(Event, service="entities"):
    """A record came into being. `attributes` are plain; `personal` are those that its schema marks personal."""

    entity: str = Field(description="The schema, e.g. contact or contract")
    id: str
    external_id: str | None = Field(description="The id in the system that the record comes from, e.g. the ERP")
    person: str | None = Field(description="Whose key seals `personal`; null when there is nothing personal")
    attributes: dict[str, Json]
    personal: Personal[dict[str, Json]]
    relations: dict[str, tuple[str, ...]] = Field(description="Relation name to ids of the related records")


class EntityChanged(Event, service="entities"):
    """Attributes of a record have new values; only those that changed are listed, null for removed ones."""

    entity: str
    id: str
    external_id: str | None
    person: str | None
    attributes: dict[str, Json]
    personal: Personal[dict[str, Json]]


class EntityRelated(Event, service="entities"):
    """A relation of a record now leads to exactly these records."""

    entity: str
    id: str
    relation: str
    to: tuple[str, ...]


class EntityDeleted(Event, service="entities"):
    """A record is gone."""

    entity: str
    id: str
    person: str | None = Field(default=None, description="Whose personal values it had")


class ImportCompleted(Event, service="entities"):
    """All rows of an import were looked at; what happened to each is in the import's report."""

    import_id: str
    entity: str
    created: int
    updated: int
    unchanged: int
    refused: int


class SchemaPublished(Event, service="entities"):
    """What an entity looks like from now on."""

    entity: str
    schema_version: int
    definition: dict[str, Json] = Field(description="The whole document as it was written")
    packaged: bool = Field(default=False, description="It came with Portico; nobody has published one of his own yet")


class MappingApplied(Event, service="entities"):
    """A submission's answers are in the record's attributes; EntityCreated or EntityChanged says which changed."""

    submission_id: str
    effect: int = Field(description="Which effect of the submission it is")
    entity: str
    id: str


class MappingRefused(Event, service="entities"):
    """A submission's answers could not be taken over into a record, which stays as it was."""

    submission_id: str
    effect: int
    entity: str
    id: str
    code: str
    attribute: str | None = Field(description="The attribute that was wrong, where it was one")


class ContactMade(Event, service="entities"):
    """The contact that identity wanted for a portal user is there."""

    user_id: str
    portal_id: str
    contact_id: str


class ContactRefused(Event, service="entities"):
    """The contact that identity wanted for a portal user cannot be made."""

    user_id: str
    portal_id: str
    contact_id: str
    code: str
    attribute: str | None = Field(description="The attribute that was wrong, where it was one")
