"""Publishing schemas, told as given, when, then; and which changes break the records that there are."""

from copy import deepcopy
from typing import Any

import pytest

from chassis.documents import InvalidDocument, read_document
from contracts.entities import SchemaPublished
from services.entities.definitions.changes import breaking_changes
from services.entities.definitions.decider import SCHEMA, PublishPackaged, PublishSchema
from services.entities.schema import Schema, flaws
from tests.support import given

LAMP: dict[str, Any] = {
    "entity": "lamp",
    "title": {"attribute": "code"},
    "attributes": {
        "code": {"type": "text", "unique": True},
        "power": {"type": "number"},
        "owner_name": {"type": "text", "personal": True},
    },
    "relations": {"holder": {"to": "contact"}, "rooms": {"to": "lamp", "many": True}},
}


def lamp(*path: str, to: Any = None) -> dict[str, Any]:
    """The document with another value at a path; without one it is taken out."""
    document = deepcopy(LAMP)
    place = document
    for part in path[:-1]:
        place = place[part]
    if path and to is None:
        del place[path[-1]]
    elif path:
        place[path[-1]] = to
    return document


def publish(document: dict[str, Any], *broken: Any, packaged: Schema | None = None) -> PublishSchema:
    return PublishSchema(Schema.model_validate(document), document, packaged, frozenset(broken))


def published(version: int, document: dict[str, Any], *, packaged: bool = False) -> SchemaPublished:
    return SchemaPublished(entity="lamp", schema_version=version, definition=document, packaged=packaged)


def test_the_first_one_and_the_same_again() -> None:
    given(SCHEMA).when(publish(LAMP)).then(published(1, LAMP))
    given(SCHEMA).when(publish(LAMP, packaged=Schema.model_validate(LAMP))).then(published(1, LAMP))
    given(SCHEMA, published(1, LAMP)).when(publish(LAMP)).then()
    more = lamp("attributes", "colour", to={"type": "text"})
    given(SCHEMA, published(1, LAMP)).when(publish(more)).then(published(2, more))


def test_what_comes_with_portico_is_said_until_somebody_makes_his_own() -> None:
    newer = lamp("attributes", "colour", to={"type": "text"})
    ours, newer_ours = (PublishPackaged(Schema.model_validate(each), each) for each in (LAMP, newer))
    first = published(1, LAMP, packaged=True)
    given(SCHEMA).when(ours).then(first)
    given(SCHEMA, first).when(ours).then()
    given(SCHEMA, first).when(newer_ours).then(published(2, newer, packaged=True))
    given(SCHEMA, first).when(publish(LAMP)).then(published(2, LAMP))
    given(SCHEMA, first, published(2, LAMP)).when(newer_ours).then()


@pytest.mark.parametrize(
    ("document", "paths"),
    [
        (lamp("attributes", "code", to={"type": "text"}), ["attributes.code"]),
        (lamp("attributes", "power"), ["attributes.power"]),
        (lamp("attributes", "power", to={"type": "text"}), ["attributes.power.type"]),
        (lamp("attributes", "power", to={"type": "number", "personal": True}), ["attributes.power.personal"]),
        (lamp("attributes", "owner_name", to={"type": "text"}), ["attributes.owner_name.personal", "person"]),
        (lamp("person", to="self"), ["person"]),
        (lamp("relations", "rooms"), ["relations.rooms"]),
        (lamp("relations", "rooms", to={"to": "lamp"}), ["relations.rooms.to"]),
        (lamp("relations", "holder", to={"to": "lamp"}), ["relations.holder.to"]),
        (lamp("attributes", "power", to={"type": "number", "required": True}), []),
        (lamp("attributes", "colour", to={"type": "text"}), []),
        (lamp("relations", "holder", to={"to": "contact", "many": True, "required": True}), []),
    ],
)
def test_what_breaks_records(document: dict[str, Any], paths: list[str]) -> None:
    before, after = Schema.model_validate(LAMP), Schema.model_validate(document)
    assert [change.path for change in breaking_changes(before, after)] == paths


def test_a_change_that_breaks_records_is_refused_and_another_is_not() -> None:
    document = lamp("attributes", "power", to={"type": "text"})
    (change,) = breaking_changes(Schema.model_validate(LAMP), Schema.model_validate(document))
    before = published(1, LAMP)
    given(SCHEMA, before).when(publish(document, change)).rejects("schema_breaks_records")
    given(SCHEMA, before).when(publish(document)).then(published(2, document))
    packaged = Schema.model_validate(LAMP)
    given(SCHEMA).when(publish(document, change, packaged=packaged)).rejects("schema_breaks_records")


def test_mistakes_are_told_with_their_place() -> None:
    document = lamp("attributes", "kind", to={"type": "chioce"})
    with pytest.raises(InvalidDocument) as caught:
        read_document(Schema, document, "en")
    assert [mistake.path for mistake in caught.value.mistakes] == ["attributes.kind.type"]
    wrong = lamp("groups", to={"general": {"label": {"de": "A", "en": "A"}, "attributes": ["code", "hue"]}})
    assert [flaw.path for flaw in flaws(Schema.model_validate(wrong))] == ["groups.general.attributes.1"]


def test_the_schema_of_the_formats_page_is_taken_as_it_stands_there() -> None:
    document = {
        "entity": "contract",
        "title": {"attribute": "number"},
        "groups": {
            "general": {"label": {"de": "Generelle Details", "en": "General details"}, "attributes": ["number"]},
            "cancellation": {"label": {"de": "Kündigung", "en": "Cancellation"}, "attributes": ["cancel_reason"]},
        },
        "attributes": {
            "number": {"type": "text", "unique": True, "label": {"de": "Vertragsnummer", "en": "Contract number"}},
            "status": {
                "type": "choice",
                "options": ["draft", "active", "in_cancellation", "terminated"],
                "decided_by": "billing",
            },
            "cancel_reason": {"type": "text", "personal": True, "purpose": ["customer_service"]},
        },
        "relations": {"holder": {"to": "contact", "many": False}, "meters": {"to": "meter", "many": True}},
    }
    schema = Schema.model_validate(document)
    assert flaws(schema) == []
    assert schema.person_of("v", {"holder": ("a",)}) == "contact/a"
