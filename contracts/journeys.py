"""Events of journeys: what is published, and what people submitted."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from contracts.base import Contract, Event, Personal
from contracts.common import Json, Language, Text

Access = Literal["portal", "public"]


class RecordRef(Contract):
    """A record of entities."""

    entity: str = Field(description="e.g. contract")
    id: str


class TaskRef(Contract):
    """A task of a running process."""

    instance_id: str
    step_id: str


class FileRef(Contract):
    """An uploaded file as others may know it; its name and content are personal and stay with journeys."""

    file_id: str
    field: str = Field(description="The field of the journey that it answers")
    media_type: str
    size_bytes: int
    sha256: str


class MapEffect(Contract):
    """Attributes of a record take values from the answers; the values are in the submission's `mapped`."""

    kind: Literal["map"] = "map"
    record: RecordRef
    attributes: tuple[str, ...] = Field(description="The names of the attributes that are set")
    create: bool = Field(default=False, description="The record is a new one, with this id")
    relations: dict[str, tuple[str, ...]] = Field(default={}, description="Relation name to ids; for a new record")


class CancelContractEffect(Contract):
    """A contract is to be cancelled."""

    kind: Literal["cancel_contract"] = "cancel_contract"
    contract_id: str
    ends_on: date | None = Field(description="Null: at the next possible date")
    extraordinary: bool = Field(default=False, description="A reason that needs no notice, e.g. a price change")


class StartProcessEffect(Contract):
    """A process begins."""

    kind: Literal["start_process"] = "start_process"
    process: str
    record: RecordRef


class MailEffect(Contract):
    """A mail goes to the submitter."""

    kind: Literal["mail"] = "mail"
    template: str


Effect = Annotated[MapEffect | CancelContractEffect | StartProcessEffect | MailEffect, Field(discriminator="kind")]


class JourneyPublished(Event, service="journeys"):
    """A version of a journey: what begins from now on follows it. What has begun goes on with its own version."""

    journey_id: str
    journey_version: int
    title: Text
    access: Access
    context: str | None = Field(description="The entity that it starts from, e.g. contract")
    definition: dict[str, Json] = Field(description="The whole document as it was written")


class JourneyWithdrawn(Event, service="journeys"):
    """Nobody can begin a journey any more."""

    journey_id: str


class JourneySubmitted(Event, service="journeys"):
    """Somebody sent a journey. The answers stay as they were given; `effects` is what the definition makes of them.

    Each effect is carried out by its owner, who answers with an event that names submission and effect (its index).
    """

    submission_id: str
    reference: str = Field(description="What people call it, e.g. 7K3F-9QXM")
    journey_id: str
    journey_version: int
    portal_id: str
    language: Language
    user_id: str | None
    contact_id: str | None
    context: RecordRef | None
    action: str | None = Field(description="The action of the portal that began it")
    task: TaskRef | None = Field(description="The task that it belongs to")
    person: str = Field(description="contact/<id>, user/<id> of a user without contact, or submission/<id>")
    answers: Personal[dict[str, Json]]
    mapped: Personal[dict[str, dict[str, Json]]] = Field(description="Values of the `map` effects by their index")
    email: Personal[str | None] = Field(description="Where the receipt goes when the submitter is no contact")
    files: tuple[FileRef, ...]
    effects: tuple[Effect, ...]


class FilesDeleted(Event, service="journeys"):
    """Files of a submission were removed, e.g. because their person was erased."""

    submission_id: str
    file_ids: tuple[str, ...]
