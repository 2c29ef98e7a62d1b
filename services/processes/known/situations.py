"""Puts together what is known of a record at the moment: its attributes, its customer and installer, the submission."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chassis.streams import Clock
from chassis.views import ViewReader
from contracts.base import known
from contracts.common import Json
from contracts.ids import stream
from contracts.journeys import JourneySubmitted, MapEffect, RecordRef
from contracts.processes import Audience
from services.processes.known.views import RecordDoc, SubmissionDoc
from services.processes.situation import Situation

CONTACT = "contact"
RELATIONS: Mapping[Audience, tuple[str, ...]] = {
    "customer": ("holder", "customer", "contact"),
    "installer": ("installer",),
}
"""The relations of a record that lead to its customer or installer, the first that is there."""


@dataclass(frozen=True)
class Situations:
    """Looks into the views."""

    records: ViewReader[RecordDoc]
    submissions: ViewReader[SubmissionDoc]
    clock: Clock

    async def exists(self, record: RecordRef) -> bool:
        """Whether there is such a record."""
        return await self.records.get(stream(record.entity, record.id)) is not None

    async def of(
        self,
        record: RecordRef,
        contact_id: str | None,
        submission_id: str | None,
        just_sent: JourneySubmitted | None = None,
    ) -> Situation:
        """What is known now. `contact_id`: the customer where the record itself does not say.

        `submission_id`: whose answers are asked for; what another one that was `just_sent` changes counts already.
        """
        doc = await self.records.get(stream(record.entity, record.id))
        doc = _with_mapped(doc, record, just_sent) if just_sent else doc
        submission = await self.submissions.get(submission_id) if submission_id else None
        return await self._situation(record, doc, contact_id, _submission_facts(submission))

    async def at_submission(self, record: RecordRef, event: JourneySubmitted) -> Situation:
        """What is known when a submission has just come: what it changes on the record counts already."""
        doc = await self.records.get(stream(record.entity, record.id))
        doc = _with_mapped(doc, record, event)
        facts: dict[str, Mapping[str, Any]] = {
            "answers": dict(known(event.answers) or {}),
            "submission": {
                "journey": event.journey_id,
                "portal": event.portal_id,
                "language": event.language,
                "action": event.action,
            },
        }
        return await self._situation(record, doc, event.contact_id, facts)

    async def _situation(
        self, record: RecordRef, doc: RecordDoc | None, contact_id: str | None, facts: Mapping[str, Mapping[str, Any]]
    ) -> Situation:
        contacts = _contacts(record, doc, contact_id)
        people = await self.records.get_many(sorted({stream(CONTACT, each) for each in contacts.values()}))
        attributes = {
            **{
                name: _attributes(people.get(stream(CONTACT, contacts[role])))
                for name, role in _NAMES
                if role in contacts
            },
            record.entity: _attributes(doc),
        }
        return Situation({**facts, **attributes}, contacts, self.clock())


_NAMES: tuple[tuple[str, Audience], ...] = ((CONTACT, "customer"), ("installer", "installer"))


def _attributes(doc: RecordDoc | None) -> dict[str, Json]:
    return {**doc.attributes, **doc.personal} if doc else {}


def _contacts(record: RecordRef, doc: RecordDoc | None, contact_id: str | None) -> dict[Audience, str]:
    contacts: dict[Audience, str] = {}
    for role, relations in RELATIONS.items():
        related = [doc.relations[name][0] for name in relations if doc and doc.relations.get(name)]
        contacts |= {role: related[0]} if related else {}
    if record.entity == CONTACT:
        contacts["customer"] = record.id
    elif contact_id:
        contacts.setdefault("customer", contact_id)
    return contacts


def _submission_facts(doc: SubmissionDoc | None) -> dict[str, dict[str, Json]]:
    if doc is None:
        return {}
    origin: dict[str, Json] = {
        "journey": doc.journey_id,
        "portal": doc.portal_id,
        "language": doc.language,
        "action": doc.action,
    }
    return {"answers": doc.personal, "submission": origin}


def _with_mapped(doc: RecordDoc | None, record: RecordRef, event: JourneySubmitted) -> RecordDoc | None:
    """The record with the values and relations that the submission's `map` effects give it."""
    mapped = known(event.mapped) or {}
    for index, effect in enumerate(event.effects):
        if isinstance(effect, MapEffect) and effect.record == record:
            doc = doc or RecordDoc(person=None, personal={}, attributes={}, relations={})
            values = {**doc.personal, **mapped.get(str(index), {})}
            doc = doc.model_copy(update={"personal": values, "relations": {**doc.relations, **effect.relations}})
    return doc
