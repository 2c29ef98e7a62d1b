"""Which changes of a schema would leave existing records with values that it no longer describes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from services.entities.schema import Schema


@dataclass(frozen=True, slots=True)
class Change:
    """A change that breaks records which have a value under `name`; any record at all when `name` is None."""

    path: str
    code: str
    name: str | None


def breaking_changes(before: Schema, after: Schema) -> list[Change]:
    """What would break records of `before`, if there are any with the values in question."""
    return [*_of_attributes(before, after), *_of_relations(before, after)]


def _of_attributes(before: Schema, after: Schema) -> Iterator[Change]:
    identifying = before.external_id
    if not (identifying in after.attributes and after.attributes[identifying].unique):
        yield Change(f"attributes.{identifying}", "schema_unique_stays", None)
    for name, attribute in before.attributes.items():
        if name not in after.attributes:
            yield Change(f"attributes.{name}", "schema_attribute_used", name)
            continue
        if after.attributes[name].type != attribute.type:
            yield Change(f"attributes.{name}.type", "schema_type_used", name)
        if after.attributes[name].personal != attribute.personal:
            yield Change(f"attributes.{name}.personal", "schema_personal_used", name)
    if before.owner != after.owner:
        for name, attribute in before.attributes.items():
            if attribute.personal:
                yield Change("person", "schema_person_used", name)


def _of_relations(before: Schema, after: Schema) -> Iterator[Change]:
    for name, relation in before.relations.items():
        now = after.relations.get(name)
        if now is None:
            yield Change(f"relations.{name}", "schema_relation_used", name)
        elif now.to != relation.to or (relation.many and not now.many):
            yield Change(f"relations.{name}.to", "schema_relation_used", name)
