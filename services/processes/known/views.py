"""Records, and submissions that start processes: what steps' conditions and assignments are decided on.

Plain values of living persons only: documents of an erased person are blanked by `PersonalViewHandler`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from psycopg import sql
from pydantic import BaseModel, ConfigDict

from chassis.keyring import PostgresKeyring
from chassis.log import Connection
from chassis.views import View, ViewHandler
from contracts.base import Sealed, known
from contracts.common import Json
from contracts.entities import EntityChanged, EntityCreated, EntityDeleted, EntityRelated
from contracts.envelope import Envelope
from contracts.identity import PersonErased
from contracts.ids import stream
from contracts.journeys import JourneySubmitted, StartProcessEffect

FORGET = sql.SQL(
    "UPDATE {} SET doc = doc || '{{\"personal\": {{}}, \"erased\": true}}'::jsonb WHERE doc->>'person' = ANY(%s)"
)


class PersonalDoc(BaseModel):
    """A document with values of a person; after an erasure they are gone for good."""

    model_config = ConfigDict(frozen=True)

    person: str | None
    personal: dict[str, Json]
    erased: bool = False


class RecordDoc(PersonalDoc):
    """A record as it is now."""

    attributes: dict[str, Json]
    relations: dict[str, tuple[str, ...]]


class SubmissionDoc(PersonalDoc):
    """A submission that starts a process; `personal` are its answers."""

    journey_id: str
    portal_id: str
    language: str
    action: str | None


def record_key(envelope: Envelope) -> str | None:
    return envelope.stream


def evolve_record(doc: RecordDoc | None, envelope: Envelope) -> RecordDoc | None:
    match envelope.event:
        case EntityCreated() as event:
            return RecordDoc(
                person=event.person,
                personal=known(event.personal) or {},
                erased=isinstance(event.personal, Sealed),
                attributes=event.attributes,
                relations=event.relations,
            )
        case EntityChanged() as event if doc is not None:
            return _changed(doc, event)
        case EntityRelated() as event if doc is not None:
            return doc.model_copy(update={"relations": {**doc.relations, event.relation: event.to}})
        case EntityDeleted():
            return None
        case _:
            return doc


def _changed(doc: RecordDoc, event: EntityChanged) -> RecordDoc:
    """With another person come all personal values anew."""
    same = event.person == doc.person
    gone = isinstance(event.personal, Sealed) or (doc.erased and same)
    before = doc.personal if same else {}
    return doc.model_copy(
        update={
            "person": event.person,
            "personal": {} if gone else {**before, **(known(event.personal) or {})},
            "erased": gone,
            "attributes": {**doc.attributes, **event.attributes},
        }
    )


def submission_key(envelope: Envelope) -> str | None:
    event = envelope.event
    if not isinstance(event, JourneySubmitted):
        return None
    return event.submission_id if any(isinstance(effect, StartProcessEffect) for effect in event.effects) else None


def evolve_submission(doc: SubmissionDoc | None, envelope: Envelope) -> SubmissionDoc | None:
    event = envelope.event
    if not isinstance(event, JourneySubmitted):
        return doc
    return SubmissionDoc(
        person=event.person,
        personal=known(event.answers) or {},
        erased=isinstance(event.answers, Sealed),
        journey_id=event.journey_id,
        portal_id=event.portal_id,
        language=event.language,
        action=event.action,
    )


D = TypeVar("D", bound=PersonalDoc)


class PersonalViewHandler(ViewHandler[D]):
    """A view that also blanks all documents of an erased person.

    A fold reaches one document by an event's key; this reaches several. Both are one consumer, which takes one batch
    after the other, so that nothing opened before the erasure is folded after it.
    """

    def __init__(self, view: View[D], keyring: PostgresKeyring) -> None:
        super().__init__(view)
        self.events = (*view.events, PersonErased)
        self._keyring = keyring

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        await super().apply(connection, [each for each in envelopes if not isinstance(each.event, PersonErased)])
        erased = [each.event.person for each in envelopes if isinstance(each.event, PersonErased)]
        if erased:
            for person in erased:
                self._keyring.forget(person)
            await connection.execute(FORGET.format(sql.Identifier(self.table)), (erased,))


PERSON_INDEX = {"person": "(doc->>'person')"}
RECORDS: View[RecordDoc] = View(
    "records",
    1,
    RecordDoc,
    (EntityCreated, EntityChanged, EntityRelated, EntityDeleted),
    record_key,
    evolve_record,
    indexes=PERSON_INDEX,
)
SUBMISSIONS: View[SubmissionDoc] = View(
    "submissions", 1, SubmissionDoc, (JourneySubmitted,), submission_key, evolve_submission, indexes=PERSON_INDEX
)


def record_name(entity: str, id_: str) -> str:
    """The key of a record: its stream."""
    return stream(entity, id_)
