"""Portals as far as they let people in, and what attributes are called where people are asked for them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from chassis.errors import NotFound
from chassis.views import View, ViewReader
from contracts.common import Language, Text
from contracts.entities import SchemaPublished
from contracts.envelope import Envelope
from contracts.portal import PortalConfigured, Registration


class PortalDoc(BaseModel):
    """How people get into a portal, and where its links begin."""

    model_config = ConfigDict(frozen=True)

    id: str
    audience: Literal["customer", "installer"]
    name: Text
    url: str
    enabled: bool
    registration: Registration


class LabelsDoc(BaseModel):
    """What the attributes of an entity are called."""

    model_config = ConfigDict(frozen=True)

    entity: str
    labels: dict[str, Text]


def portal_key(envelope: Envelope) -> str | None:
    return envelope.event.portal_id if isinstance(envelope.event, PortalConfigured) else None


def evolve_portal(doc: PortalDoc | None, envelope: Envelope) -> PortalDoc | None:
    event = envelope.event
    if not isinstance(event, PortalConfigured):
        return doc
    return PortalDoc(
        id=event.portal_id,
        audience=event.audience,
        name=event.name,
        url=event.url.rstrip("/"),
        enabled=event.enabled,
        registration=event.registration,
    )


def labels_key(envelope: Envelope) -> str | None:
    return envelope.event.entity if isinstance(envelope.event, SchemaPublished) else None


def evolve_labels(doc: LabelsDoc | None, envelope: Envelope) -> LabelsDoc | None:
    event = envelope.event
    if not isinstance(event, SchemaPublished):
        return doc
    attributes = event.definition.get("attributes")
    labels = {name: _label(name, value) for name, value in attributes.items()} if isinstance(attributes, dict) else {}
    return LabelsDoc(entity=event.entity, labels=labels)


def _label(name: str, attribute: Any) -> Text:
    label = attribute.get("label") if isinstance(attribute, dict) else None
    words = name.replace("_", " ").capitalize()
    if not isinstance(label, dict):
        return Text(de=words, en=words)
    return Text(de=str(label.get("de", words)), en=str(label.get("en", words)))


PORTALS: View[PortalDoc] = View("portals", 1, PortalDoc, (PortalConfigured,), portal_key, evolve_portal)
LABELS: View[LabelsDoc] = View("labels", 1, LabelsDoc, (SchemaPublished,), labels_key, evolve_labels)

Portals = ViewReader[PortalDoc]
Labels = ViewReader[LabelsDoc]


async def find_portal(portals: Portals, portal_id: str) -> PortalDoc:
    """The portal. Raises NotFound, also where it is switched off."""
    portal = await portals.get(portal_id)
    if portal is None or not portal.enabled:
        raise NotFound("portal_not_found")
    return portal


async def label_of(labels: Labels, path: str, language: Language) -> str:
    """What an attribute such as `contact.customer_number` is called."""
    entity, _, attribute = path.partition(".")
    doc = await labels.get(entity)
    label = doc.labels.get(attribute) if doc else None
    return getattr(label or _label(attribute, None), language)  # type: ignore[no-any-return]  # a text by its language
