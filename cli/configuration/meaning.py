"""What a document means, by the models of the services that own them: defaults and spelling make no difference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from chassis.documents import mistakes_of
from cli.configuration.kinds import ENTITY, JOURNEY, PORTAL, PROCESS, TEMPLATE, Kind
from cli.configuration.remote import LANGUAGE, Remark
from services.entities.schema import Schema
from services.journeys.form.document import JourneyDocument
from services.notifications.templates.document import TemplateDocument
from services.portal.configuration.document import PortalDocument
from services.portal.configuration.svg import UnsafeSvg, sanitised
from services.processes.document import ProcessDocument

MODELS: Mapping[Kind, type[BaseModel]] = {
    ENTITY: Schema,
    JOURNEY: JourneyDocument,
    PROCESS: ProcessDocument,
    PORTAL: PortalDocument,
    TEMPLATE: TemplateDocument,
}


def flaws(kind: Kind, content: Mapping[str, Any]) -> list[Remark]:
    """What is wrong with the form of a document; whether it fits the others only its service knows."""
    try:
        MODELS[kind].model_validate(content)
    except ValidationError as error:
        return [Remark(each.path, each.detail) for each in mistakes_of(error, MODELS[kind], content, LANGUAGE)]
    return []


def same(kind: Kind, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two documents mean the same."""
    return one == other or plain(kind, one) == plain(kind, other)


def plain(kind: Kind, content: Mapping[str, Any]) -> dict[str, Any]:
    """The document with nothing in it that goes without saying."""
    try:
        document = MODELS[kind].model_validate(content)
        if isinstance(document, PortalDocument):
            document = _portal(document)
        return document.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    except ValidationError:
        return dict(content)


def _portal(document: PortalDocument) -> BaseModel:
    """As it is kept: ids of actions and links are made where they are left out, and its logo is made safe."""
    found = PortalDocument.of(document.event())
    try:
        logo = sanitised(found.design.logo) if found.design.logo else None
    except UnsafeSvg:
        return found
    return found.model_copy(update={"design": found.design.model_copy(update={"logo": logo})})
