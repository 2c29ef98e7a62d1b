"""Records as staff see them: plain values of living persons, the schema's attributes, and relations by id."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson
from pydantic import BaseModel, ConfigDict, Field

from chassis.views import View, ViewReader
from contracts.base import Sealed, known
from contracts.common import Json
from contracts.entities import (
    EntityChanged,
    EntityCreated,
    EntityDeleted,
    EntityRelated,
    MappingApplied,
    MappingRefused,
)
from contracts.envelope import Envelope
from contracts.ids import stream
from services.entities.records.state import merged
from services.entities.records.words import wanted_words, words_of


class RecordDocument(BaseModel):
    """A record. `erased`: its personal values are gone for good with the key of their person."""

    model_config = ConfigDict(frozen=True)

    entity: str
    id: str
    external_id: str | None
    version: int = Field(description="The version of the record's stream, for If-Match")
    person: str | None = Field(description="Whose key seals the personal attributes")
    erased: bool
    attributes: dict[str, Json]
    personal: dict[str, Json]
    relations: dict[str, tuple[str, ...]]

    def seen(self, names: Container[str], external_id: str) -> RecordDocument:
        """As much of it as somebody sees who may see these attributes and relations."""
        shown: dict[str, object] = {
            part: {name: value for name, value in getattr(self, part).items() if name in names}
            for part in ("attributes", "personal", "relations")
        }
        named = self.external_id if external_id in names else None
        return self.model_copy(update={**shown, "person": None, "external_id": named})


class StoredRecord(RecordDocument):
    """A record with the words by which it is found, those of personal values apart since an erasure blanks them."""

    words: str = ""
    personal_words: str = ""

    def findable(self) -> StoredRecord:
        """The record with the words of its values as they are now."""
        return self.model_copy(
            update={
                "words": words_of([self.external_id, *self.attributes.values()]),
                "personal_words": words_of(self.personal.values()),
            }
        )


def key(envelope: Envelope) -> str | None:
    return envelope.stream


def evolve(document: StoredRecord | None, envelope: Envelope) -> StoredRecord | None:
    event = envelope.event
    if isinstance(event, EntityCreated):
        return StoredRecord(
            entity=event.entity,
            id=event.id,
            external_id=event.external_id,
            version=envelope.record.version,
            person=event.person,
            erased=isinstance(event.personal, Sealed),
            attributes=event.attributes,
            personal=known(event.personal) or {},
            relations=event.relations,
        ).findable()
    if document is None or isinstance(event, EntityDeleted):
        return None
    changes: dict[str, object] = {"version": envelope.record.version}
    if isinstance(event, EntityRelated):
        changes["relations"] = {**document.relations, event.relation: event.to}
    elif isinstance(event, EntityChanged):
        same_person = event.person == document.person
        gone = isinstance(event.personal, Sealed) or (document.erased and same_person)
        before = document.personal if same_person else {}
        changes["person"] = event.person
        changes["erased"] = gone
        changes["attributes"] = merged(document.attributes, event.attributes)
        changes["personal"] = {} if gone else merged(before, known(event.personal) or {})
    return document.model_copy(update=changes).findable()


_FOUND_BY = " || ".join(
    f"array_to_tsvector(string_to_array(doc->>'{name}', ' '))" for name in ("words", "personal_words")
)
RECORDS = View(
    "records",
    3,
    StoredRecord,
    (EntityCreated, EntityChanged, EntityRelated, EntityDeleted, MappingApplied, MappingRefused),
    key,
    evolve,
    indexes={
        "entity": "(doc->>'entity'), key",
        "person": "(doc->>'person')",
        "words": f"USING gin (({_FOUND_BY}))",
        "attributes": "USING gin ((doc->'attributes') jsonb_path_ops)",
        "relations": "USING gin ((doc->'relations') jsonb_path_ops)",
    },
)

Records = ViewReader[StoredRecord]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records of an entity: with words that begin as those of `search`, and with these values."""

    search: str = ""
    attributes: Mapping[str, Json] = field(default_factory=dict)
    relations: Mapping[str, str] = field(default_factory=dict)

    def conditions(self) -> tuple[list[str], list[object]]:
        """SQL over `doc`, and its parameters."""
        where: list[str] = []
        parameters: list[object] = []
        if words := wanted_words(self.search):
            where.append(f"({_FOUND_BY}) @@ %s::tsquery")
            parameters.append(" & ".join(f"'{word}':*" for word in words))
        if self.attributes:
            where.append("doc->'attributes' @> %s::jsonb")
            parameters.append(orjson.dumps(dict(self.attributes)).decode())
        if self.relations:
            where.append("doc->'relations' @> %s::jsonb")
            parameters.append(orjson.dumps({name: [to] for name, to in self.relations.items()}).decode())
        return where, parameters


async def find_record(records: Records, entity: str, id_: str) -> StoredRecord | None:
    return await records.get(stream(entity, id_))


async def find_records(records: Records, entity: str, ids: Iterable[str]) -> list[StoredRecord]:
    """Those of these records that there are, in the order of the ids."""
    keys = [stream(entity, each) for each in dict.fromkeys(ids)]
    found = await records.get_many(keys)
    return [found[each] for each in keys if each in found]


async def list_records(
    records: Records, entity: str, after: str, limit: int, wanted: Wanted = Wanted()
) -> Sequence[StoredRecord]:
    """Records of an entity in the order of their ids, those behind `after`."""
    where, parameters = wanted.conditions()
    where = ["doc->>'entity' = %s", "key > %s", *where]
    return await records.find(" AND ".join(where), [entity, stream(entity, after), *parameters], limit=limit)


async def belongs_to_others(records: Records, entity: str, id_: str) -> bool:
    """Whether records besides itself have this one as their person, e.g. contracts their holder."""
    person = stream(entity, id_)
    return bool(await records.find("doc->>'person' = %s AND key <> %s", [person, person], limit=1))


async def is_in_use(records: Records, entity: str, name: str | None) -> bool:
    """Whether there are records of an entity with a value under `name`; with None: records at all."""
    where = "doc->>'entity' = %s"
    if name is None:
        return bool(await records.find(where, [entity], limit=1))
    has = "(doc->'attributes' ? %s OR doc->'personal' ? %s OR doc->'relations' ? %s)"
    return bool(await records.find(f"{where} AND {has}", [entity, name, name, name], limit=1))
