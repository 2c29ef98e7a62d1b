"""Documents: what is right is taken as it is, and every mistake is told where it stands, in two languages."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.documents import InvalidDocument
from contracts.common import Text
from contracts.journeys import JourneyPublished, JourneyWithdrawn
from services.journeys.app import TEXTS
from services.journeys.definitions.api import read_journey
from services.journeys.definitions.decider import JOURNEY, Publish, Withdraw
from services.journeys.form.own_schema import flaws_of
from tests.services.journeys.documents import document
from tests.support import given as history

TITLE = {"de": "Titel", "en": "Title"}


def mistakes(body: Any, journey_id: str = "cancellation", language: Any = "en") -> dict[str, str]:
    with pytest.raises(InvalidDocument) as caught:
        read_journey(journey_id, body, TEXTS, language)
    return {mistake.path: mistake.detail for mistake in caught.value.mistakes}


def changed(change: Callable[[Any], object]) -> dict[str, Any]:
    body = document("cancellation")
    change(body)
    return body


def fields(body: dict[str, Any], step: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = body["steps"][step]["fields"]
    return found


@pytest.mark.parametrize("name", ["cancellation", "upload_proof", "contact_us"])
def test_documents_that_are_right(name: str) -> None:
    read_journey(name, document(name), TEXTS, "en")


WRONG: list[tuple[str, Callable[[Any], object], str, str]] = [
    ("no text in English", lambda b: b["steps"][0]["title"].pop("en"), "steps.0.title.en", "is missing"),
    (
        "an empty option",
        lambda b: fields(b)["reason"]["options"]["price"].update(en=" "),
        "steps.0.fields.reason.options.price.en",
        "needs at least 1 characters",
    ),
    (
        "no label",
        lambda b: b["steps"][0].pop("title"),
        "steps.0.fields.reason.label",
        "needs a text (label), or the step a title",
    ),
    (
        "an unknown type",
        lambda b: fields(b)["reason"].update(type="radio"),
        "steps.0.fields.reason",
        "must be one of these",
    ),
    (
        "a mistyped key",
        lambda b: fields(b)["reason"].update(requierd=True),
        "steps.0.fields.reason.requierd",
        "perhaps required is meant",
    ),
    (
        "an unknown effect",
        lambda b: b["effects"].append({"sendmail": {}}),
        "effects.4.sendmail",
        "'sendmail' is unknown here",
    ),
    ("no effect", lambda b: b["effects"].append({}), "effects.4", "needs exactly one of map"),
    (
        "two effects in one",
        lambda b: b["effects"][3].update(start_process={"process": "x"}),
        "effects.3",
        "needs exactly one of map",
    ),
    (
        "an unknown field in an expression",
        lambda b: b["effects"][0]["map"]["set"].update(cancel_reason="answers.raeson"),
        "effects.0.map.set.cancel_reason",
        "there is no field raeson; possible are reason",
    ),
    (
        "an expression that means something else",
        lambda b: b["effects"][0]["map"]["set"].update(cancel_reason="answer.reason"),
        "effects.0.map.set.cancel_reason",
        "answer is unknown here; possible are answers, context, contract, contact",
    ),
    (
        "a broken template",
        lambda b: b["effects"][0]["map"]["set"].update(note="for {answers.reason"),
        "effects.0.map.set.note",
        "braces hold paths such as {answers.name}",
    ),
    (
        "an unknown field in a condition",
        lambda b: fields(b)["moving_on"].update(when=[{"answers.resaon": {"is": "moving"}}]),
        "steps.0.fields.moving_on.when.0.answers.resaon",
        "there is no field resaon; possible are reason",
    ),
    (
        "a test that there is not",
        lambda b: fields(b)["moving_on"].update(when=[{"answers.reason": {"equals": "moving"}}]),
        "steps.0.fields.moving_on.when.0.answers.reason",
        "there is no test 'equals'; possible are is, is_not",
    ),
    (
        "a condition on a later step",
        lambda b: b["steps"][0].update(when=[{"answers.ends_on": {"exists": True}}]),
        "steps.0.when.0.answers.ends_on",
        "the field ends_on is asked in this or a later step only",
    ),
    (
        "a circle of conditions",
        lambda b: fields(b)["reason"].update(when=[{"any": [{"answers.moving_on": {"exists": False}}]}]),
        "steps.0.fields.reason.when",
        "the conditions depend on each other in a circle: reason → moving_on → reason",
    ),
    (
        "a field that depends on itself",
        lambda b: fields(b)["reason"].update(when=[{"answers.reason": {"exists": False}}]),
        "steps.0.fields.reason.when",
        "in a circle: reason → reason",
    ),
    (
        "a field twice",
        lambda b: fields(b, 1).update(reason={"type": "text"}),
        "steps.1.fields.reason",
        "there is a field reason in step reason already",
    ),
    ("a step twice", lambda b: b["steps"][1].update(id="reason"), "steps.1.id", "there is a step reason already"),
    (
        "a date that cannot be",
        lambda b: fields(b)["moving_on"].update(min="2027-02-01", max="2027-01-31"),
        "steps.0.fields.moving_on",
        "the lowest value is above the highest",
    ),
    (
        "an end that is no date",
        lambda b: b["effects"][1]["cancel_contract"].update(on="answers.reason"),
        "effects.1.cancel_contract.on",
        "needs a date",
    ),
    (
        "a record that there is not",
        lambda b: b["effects"][2]["start_process"].update(on="order"),
        "effects.2.start_process.on",
        "order is no record; possible are context, contact",
    ),
    (
        "a kind of file that there is not",
        lambda b: fields(b, 1)["proof"].update(accept=["exe"]),
        "steps.1.fields.proof.accept.0",
        "must be one of these",
    ),
    ("another name", lambda b: b.update(journey="other"), "journey", "must be cancellation, as in the address"),
    ("no fields", lambda b: b["steps"][0].pop("fields"), "steps.0", "needs either fields or schema"),
    (
        "no context",
        lambda b: b.pop("context"),
        "effects.2.start_process.on",
        "the journey has no record (context)",
    ),
    ("another context", lambda b: b.update(context="meter"), "steps.1.fields.ends_on.of", "context: contract only"),
    (
        "public with a record",
        lambda b: b.update(access="public"),
        "context",
        "a public journey cannot have a record (context)",
    ),
    ("mail to nobody", lambda b: b.update(access="public"), "email", "says where the mail goes"),
    ("a number beyond all numbers", lambda b: b["effects"][0]["map"]["set"].update(x=10**30), "", "number in it"),
    (
        "too much of everything",
        lambda b: b.update(description={"de": "d", "en": "e" * 6_000}),
        "description.en",
        "at most 5,000 characters",
    ),
]


@pytest.mark.parametrize(("change", "path", "detail"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG])
def test_a_mistake_is_told_with_its_place(change: Callable[[Any], object], path: str, detail: str) -> None:
    found = mistakes(changed(change))
    assert path in found, found
    assert detail in found[path]


def test_all_mistakes_are_told_at_once_and_in_german() -> None:
    body = changed(lambda b: (b["steps"][0].pop("title"), b.update(journey="other")))
    assert mistakes(body, language="de") == {
        "journey": "muss cancellation sein, wie in der Adresse",
        "steps.0.fields.reason.label": "braucht einen Text (label), oder der Schritt einen Titel",
    }


def own(schema: dict[str, Any]) -> dict[str, Any]:
    step = {"id": "own", "title": TITLE, "labels": {"a": TITLE}, "schema": schema}
    return {"journey": "own", "title": TITLE, "steps": [step]}


@pytest.mark.parametrize(
    ("schema", "path", "detail"),
    [
        ({"type": "object"}, "steps.0.schema", "needs type: object and properties"),
        ({"type": "objekt", "properties": {"a": {}}}, "steps.0.schema.type", "no valid JSON Schema"),
        ({"$ref": "https://example.org/x"}, "steps.0.schema.$ref", "may only refer to #/$defs/"),
        ({"$id": "https://example.org/x"}, "steps.0.schema.$id", "$id is not allowed here"),
        ({"patternProperties": {"(a+)+$": {}}}, "steps.0.schema.patternProperties", "is not allowed here"),
        ({"properties": {"a": {"pattern": "(?=x)"}}}, "steps.0.schema.properties.a.pattern", "no pattern of the kind"),
        ({"properties": {"a": {"format": "ipv9"}}}, "steps.0.schema.properties.a.format", "there is no format ipv9"),
        ({"properties": {"a": {}, "b": {}}}, "steps.0.labels.b", "needs a text"),
        ({"properties": {"A": {}}}, "steps.0.schema.properties.A", "must be of small letters"),
        ({"$defs": {"x": {"$ref": "#/$defs/x"}}, "allOf": [{"$ref": "#/$defs/x"}]}, "steps.0.schema", "in a circle"),
        (
            {"$defs": {f"x{n}": {"allOf": [{"$ref": f"#/$defs/x{n + 1}"}] * 2} for n in range(20)} | {"x20": {}}}
            | {"$ref": "#/$defs/x0"},
            "steps.0.schema",
            "too large",
        ),
    ],
)
def test_an_own_schema_is_bounded_and_refers_to_nothing_outside(schema: Any, path: str, detail: str) -> None:
    whole = {"type": "object", "properties": {"a": {"type": "string"}}} | schema
    found = mistakes(own(schema if schema == {"type": "object"} else whole), "own")
    assert detail in found[path], found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
WORDS = st.sampled_from(
    [
        *("answers.reason", "answers.x", "context", "contact", "today", "{answers.reason}", "{", "text", "choice"),
        *("2027-01-31", "portal", "public", "contract", "#/$defs/a", "object", "string", "is", "any", "not"),
    ]
)
KEYS = st.sampled_from(
    [
        *("type", "fields", "schema", "when", "label", "title", "de", "en", "options", "map", "set", "to", "create"),
        *("answers.reason", "any", "not", "is", "$ref", "$defs", "a", "properties", "items", "min", "max", "accept"),
    ]
)
DOCUMENT_LIKE = st.recursive(
    JSON | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=5),
    max_leaves=25,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in below for place in places(each, (*path, key)))]


PLACES = [(name, place) for name in ("cancellation", "contact_us") for place in places(document(name)) if place]


@given(at=st.sampled_from(PLACES), value=DOCUMENT_LIKE)
@settings(max_examples=150)
def test_whatever_is_written_anywhere_is_taken_or_told(at: tuple[str, tuple[Any, ...]], value: Any) -> None:
    name, (*path, last) = at
    body = document(name)
    here = body
    for part in path:
        here = here[part]
    here[last] = value
    try:
        read_journey(name, copy.deepcopy(body), TEXTS, "de")
    except InvalidDocument:
        assert all(detail for detail in mistakes(body, name).values())


@given(schema=DOCUMENT_LIKE.filter(lambda value: isinstance(value, dict)))
@settings(max_examples=30)
def test_any_own_schema_is_taken_or_told(schema: Any) -> None:
    list(flaws_of(schema, ()))
    list(flaws_of({"type": "object", "properties": {"a": schema}}, ()))


PUBLISH = Publish("call", Text(**TITLE), "portal", None, {"journey": "call", "steps": [{"a": 1, "b": 2}]})
PUBLISHED = JourneyPublished(
    journey_id="call",
    journey_version=1,
    title=Text(**TITLE),
    access="portal",
    context=None,
    definition={"journey": "call", "steps": [{"a": 1, "b": 2}]},
)


def test_a_version_comes_of_every_change_and_only_of_changes() -> None:
    history(JOURNEY).when(PUBLISH).then(PUBLISHED)
    history(JOURNEY, PUBLISHED).when(PUBLISH).then()
    other = {"journey": "call", "steps": [{"b": 2, "a": 1}]}
    second = PUBLISHED.model_copy(update={"journey_version": 2, "definition": other})
    reordered = Publish("call", Text(**TITLE), "portal", None, other)
    history(JOURNEY, PUBLISHED).when(reordered).then(second)


def test_withdrawn_once_and_published_again() -> None:
    withdrawn = JourneyWithdrawn(journey_id="call")
    history(JOURNEY).when(Withdraw("call")).rejects("journey_not_found")
    history(JOURNEY, PUBLISHED).when(Withdraw("call")).then(withdrawn)
    history(JOURNEY, PUBLISHED, withdrawn).when(Withdraw("call")).then()
    again = PUBLISHED.model_copy(update={"journey_version": 2})
    history(JOURNEY, PUBLISHED, withdrawn).when(PUBLISH).then(again)
