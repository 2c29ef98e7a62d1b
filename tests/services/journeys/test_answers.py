"""Answers: tidied, told by field what is wrong, and what is not asked never gets any further."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Rejected
from contracts import journeys as contract
from contracts.common import Language
from contracts.journeys import RecordRef
from services.journeys.app import TEXTS
from services.journeys.definitions.api import read_journey
from services.journeys.form.answers import check_all, check_step
from services.journeys.form.consequences import Consequences, Situation, consequences
from services.journeys.form.document import JourneyDocument
from services.journeys.form.flaws import tell
from services.journeys.form.relevance import relevant
from services.journeys.form.summary import summary_of
from tests.services.journeys.documents import document

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
TITLE = {"de": "Titel", "en": "Title"}
OPTIONS = {"a": {"de": "Apfel", "en": "Apple"}, "b": {"de": "Birne", "en": "Pear"}}


def journey(fields: Mapping[str, Any], **other: Any) -> JourneyDocument:
    steps = [{"id": "one", "title": TITLE, "fields": fields}]
    body = {"journey": "test", "title": TITLE, "context": "contract", "steps": steps, **other}
    return read_journey("test", body, TEXTS, "en")


def answered(
    fields: Mapping[str, Any], language: Language = "en", **given_: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    """The answers that are kept, and what is said of those that are wrong."""
    made = journey(fields)
    checked = check_step(made, made.steps[0], given=given_, stored={}, records={}, now=NOW)
    return dict(checked.answers), {each.path: each.detail for each in tell(checked.flaws, TEXTS, language)}


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ({"type": "text"}, "  a\u0308 ", "ä"),
        ({"type": "iban"}, "de89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        ({"type": "phone"}, " 030   123456 ", "030 123456"),
        ({"type": "email"}, " anna@müller.de ", "anna@müller.de"),
        ({"type": "number", "min": 0.5}, 0.5, 0.5),
        ({"type": "integer", "max": 3}, 3, 3),
        ({"type": "money", "min_cents": 100}, 100, 100),
        ({"type": "date", "min": "today", "max": "2027-01-01"}, "2026-11-22", "2026-11-22"),
        ({"type": "boolean"}, False, False),
        ({"type": "choice", "options": OPTIONS}, "a", "a"),
        ({"type": "choices", "options": OPTIONS}, ["b", "a"], ["b", "a"]),
        ({"type": "cancellation_date"}, "2027-01-31", "2027-01-31"),
    ],
)
def test_right_answers_are_kept(field: dict[str, Any], value: Any, kept: Any) -> None:
    assert answered({"x": field}, x=value) == ({"x": kept}, {})


@pytest.mark.parametrize("empty", ["", "   ", None])
def test_nothing_is_no_answer(empty: Any) -> None:
    assert answered({"x": {"type": "text"}}, x=empty) == ({}, {})
    assert answered({"x": {"type": "text", "required": True}}, x=empty)[1] == {"x": "Please fill this in."}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ({"type": "text", "max_length": 3}, "abcd", "Please write at most 3 characters."),
        ({"type": "text"}, 5, "Please give a text."),
        ({"type": "email"}, "anna@", "Please give an e-mail address, e.g. name@example.org."),
        ({"type": "phone"}, "call me", "Please give a telephone number, e.g. +49 30 1234567."),
        ({"type": "iban"}, "DE89370400440532013001", "This IBAN is not right. Please check all its digits."),
        ({"type": "number", "min": 1}, 0.5, "It must be at least 1."),
        ({"type": "integer"}, 0.5, "Please give a whole number."),
        ({"type": "money", "max_cents": 100_000}, 100_001, "It may be at most €1,000.00."),
        ({"type": "date", "min": "today"}, "2026-11-21", "The earliest possible date is 22 Nov 2026."),
        ({"type": "date", "max": "2027-01-01"}, "2027-01-02", "The latest possible date is 1 Jan 2027."),
        ({"type": "date", "min": "today"}, "22.11.2026", "Please give a date."),
        ({"type": "date"}, "2027-02-30", "Please give a date."),
        ({"type": "boolean"}, "yes", "Please choose yes or no."),
        ({"type": "boolean", "confirm": True}, False, "Please confirm this."),
        ({"type": "choice", "options": OPTIONS}, "c", "Please choose one of the options."),
        ({"type": "choices", "options": OPTIONS}, ["a", "a"], "Each entry may occur only once."),
        ({"type": "choices", "options": OPTIONS, "max": 1}, ["a", "b"], "Please choose at most 1."),
        ({"type": "cancellation_date"}, "2026-11-21", "The earliest possible date is 22 Nov 2026."),
    ],
)
def test_wrong_answers_are_told_by_field(field: dict[str, Any], value: Any, said: str) -> None:
    assert answered({"x": field}, x=value)[1] == {"x": said}


def test_in_german_too_and_all_at_once() -> None:
    fields = {"x": {"type": "money", "max_cents": 100_000}, "y": {"type": "text", "required": True}}
    assert answered(fields, "de", x=100_001)[1] == {
        "x": "Höchstens 1.000,00\xa0€ sind möglich.",
        "y": "Bitte füllen Sie dieses Feld aus.",
    }
    assert answered(fields, "de", z=1)[1] == {"z": "Diese Frage gibt es nicht."}


def test_a_step_that_is_not_asked_takes_no_answers() -> None:
    body = document("contact_us")
    made = read_journey("contact_us", body, TEXTS, "en")
    with pytest.raises(Rejected, match="step_not_asked"):
        check_step(made, made.steps[2], given={"reading": 1}, stored={"about": ["bill"]}, records={}, now=NOW)


@pytest.mark.parametrize(
    "value",
    ["x" * 70_000, list(range(2_000)), [[[[[[[[[[[[1]]]]]]]]]]]], 10**20, float("inf"), float("nan"), "a\x07b"],
    ids=["long", "many", "deep", "huge", "infinite", "nan", "bell"],
)
def test_what_is_beyond_all_measure_is_refused_as_a_whole(value: Any) -> None:
    with pytest.raises(Rejected, match="invalid_"):
        answered({"x": {"type": "text"}}, x=value)


def test_all_steps_together_have_a_limit_too() -> None:
    made = journey({"x": {"type": "longtext", "max_length": 20_000}})
    with pytest.raises(Rejected, match="invalid_too_many_answers"):
        check_step(made, made.steps[0], given={"x": "y"}, stored={"other": "z" * 100_000}, records={}, now=NOW)


def test_conditions_see_the_record_and_the_contact() -> None:
    made = journey(
        {
            "gas": {"type": "text", "when": [{"contract.division": {"is": "gas"}}]},
            "card": {
                "type": "text",
                "when": [{"contact.card": {"after": "today"}}, {"context.division": {"is": "gas"}}],
            },
        }
    )
    gas = {"contract": {"division": "gas"}, "context": {"division": "gas"}, "contact": {"card": "2027-01-01"}}
    assert relevant(made, {}, gas, NOW).shown == {"one": ("gas", "card")}
    assert relevant(made, {}, {}, NOW).shown == {"one": ()}


def test_a_field_may_depend_on_one_that_stands_below_it() -> None:
    fields = {
        "first": {"type": "text", "when": [{"answers.second": {"is": "a"}}]},
        "second": {"type": "choice", "options": OPTIONS},
        "third": {"type": "text", "when": [{"answers.first": {"exists": True}}]},
    }
    assert answered(fields, first="1", second="a", third="3")[0] == {"first": "1", "second": "a", "third": "3"}
    assert answered(fields, first="1", second="b", third="3")[0] == {"second": "b"}


def situation(**records: Any) -> Situation:
    refs = {"context": RecordRef(entity="contract", id="v"), "contact": RecordRef(entity="contact", id="c")}
    return Situation(records, refs, lambda entity, place: f"new-{entity}-{place}", "de", NOW)


EFFECTS = [
    {
        "map": {
            "to": "context",
            "set": {
                "reason": "answers.reason",
                "note": "Grund: {answers.reason}, am {answers.on}, {context.number} ({today}) {{}}",
                "nothing": "answers.left_out",
                "emptied": {"value": None},
                "literal": {"value": "answers.reason"},
                "number": 7,
                "owner": "contact.last_name",
            },
        }
    },
    {"when": [{"answers.reason": {"is": "b"}}], "mail": {"template": "only_pears"}},
    {"map": {"create": "request", "as": "request", "set": {"on": "today"}, "relate": {"contract": "context"}}},
    {"start_process": {"process": "look_at_it", "on": "request"}},
    {"cancel_contract": {"on": "answers.on", "extraordinary": [{"answers.reason": {"is": "a"}}]}},
]


def test_effects_follow_from_the_answers() -> None:
    fields = {
        "reason": {"type": "choice", "options": OPTIONS},
        "on": {"type": "date"},
        "left_out": {"type": "text"},
    }
    made = journey(fields, effects=EFFECTS)
    answers = {"reason": "a", "on": "2027-01-31"}
    found = consequences(made, answers, situation(context={"number": "20270131"}, contact={"last_name": "Sommer"}))
    request = RecordRef(entity="request", id="new-request-1")
    assert found == Consequences(
        effects=(
            contract.MapEffect(
                record=RecordRef(entity="contract", id="v"),
                attributes=("reason", "note", "emptied", "literal", "number", "owner"),
            ),
            contract.MapEffect(record=request, attributes=("on",), create=True, relations={"contract": ("v",)}),
            contract.StartProcessEffect(process="look_at_it", record=request),
            contract.CancelContractEffect(contract_id="v", ends_on=date(2027, 1, 31), extraordinary=True),
        ),
        mapped={
            "0": {
                "reason": "a",
                "note": "Grund: Apfel, am 31.01.2027, 20270131 (22.11.2026) {}",
                "emptied": None,
                "literal": "answers.reason",
                "number": 7,
                "owner": "Sommer",
            },
            "1": {"on": "2026-11-22"},
        },
        email=None,
    )


def test_without_an_answer_the_contract_ends_as_soon_as_possible() -> None:
    made = journey({"on": {"type": "cancellation_date"}}, effects=[{"cancel_contract": {"on": "answers.on"}}])
    (effect,) = consequences(made, {}, situation()).effects
    assert effect == contract.CancelContractEffect(contract_id="v", ends_on=None)


def test_an_effect_without_its_record_is_refused() -> None:
    made = journey({"x": {"type": "text"}}, effects=[{"start_process": {"process": "p", "on": "contact"}}])
    nobody = Situation({}, {}, lambda entity, place: "", "de", NOW)
    with pytest.raises(Rejected, match="effect_without_record"):
        consequences(made, {}, nobody)


KEPT_NUMBERS = st.integers(-(2**53), 2**53) | st.floats(-(2**53), 2**53)
KEPT = st.recursive(
    st.none()
    | st.booleans()
    | KEPT_NUMBERS
    | st.text(max_size=20)
    | st.sampled_from(["moving", "price", "2026-12-01"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates().map(str)
    | st.sampled_from(["moving", "price", "2026-12-01", "meter", "bill", "cleo@example.org", "answers.reason"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
NAMES = ("cancellation", "contact_us", "upload_proof")
JOURNEYS = {name: read_journey(name, document(name), TEXTS, "en") for name in NAMES}
CASES = st.sampled_from(NAMES).flatmap(
    lambda name: st.tuples(
        st.just(name),
        st.sampled_from(JOURNEYS[name].steps),
        st.dictionaries(st.sampled_from([*JOURNEYS[name].questions(), "unknown"]), JSON, max_size=6),
        st.dictionaries(st.sampled_from([*JOURNEYS[name].questions()]), KEPT, max_size=6),
    )
)


@pytest.mark.parametrize(
    ("is_asked", "ends_on", "said"),
    [
        (True, None, {"ends_on": "so früh wie möglich"}),
        (True, "2027-01-31", {"ends_on": "31.01.2027"}),
        (False, None, {}),
    ],
)
def test_an_end_that_was_asked_and_left_open_is_said(is_asked: bool, ends_on: str | None, said: dict[str, str]) -> None:
    shown = {"one": ("ends_on",)} if is_asked else {}
    made = journey({"ends_on": {"type": "cancellation_date"}, "note": {"type": "text"}})
    answers = {"ends_on": ends_on} if ends_on else {}
    assert {each.field: each.text for each in summary_of(made, answers, shown, {}, "de")} == said


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({"type": "text"}, "Please fill this in."),
        ({"type": "choice", "options": OPTIONS}, "Please choose an answer."),
        ({"type": "choices", "options": OPTIONS}, "Please choose an answer."),
        ({"type": "boolean"}, "Please choose an answer."),
        ({"type": "boolean", "confirm": True}, "Please confirm this."),
        ({"type": "files"}, "Please upload a file."),
    ],
)
def test_what_is_missing_is_asked_for_as_its_field_is_answered(field: dict[str, Any], said: str) -> None:
    assert answered({"x": {**field, "required": True}})[1] == {"x": said}


@given(case=CASES)
def test_any_answers_are_kept_told_or_refused_and_hidden_ones_go_nowhere(case: Any) -> None:
    name, step, given_, stored = case
    made = JOURNEYS[name]
    try:
        kept = check_step(made, step, given=given_, stored=stored, records={}, now=NOW)
        everything = check_all(made, {**stored, **kept.answers}, {}, NOW)
        assert all(each.detail for each in tell((*kept.flaws, *everything.flaws), TEXTS, "de"))
        list(summary_of(made, everything.answers, everything.shown, {}, "de"))
        follows = consequences(made, {**stored, **kept.answers}, situation())
    except Rejected:
        return
    asked = {field for fields in everything.shown.values() for field in fields}
    assert set(everything.answers) <= asked
    assert set(kept.answers) <= {*step.questions()} & {*kept.shown.get(step.id, ())}
    if name == "cancellation" and everything.answers.get("reason") is None:
        assert "cancel_reason" not in follows.mapped["0"]


@given(reason=st.sampled_from(["moving", "price", "other", None]), moving_on=KEPT, note=st.booleans())
def test_a_hidden_field_never_reaches_the_mapping(reason: str | None, moving_on: Any, note: bool) -> None:
    body = document("cancellation")
    body["effects"][0]["map"]["set"]["moved_on"] = "answers.moving_on"
    body["effects"][0]["map"]["set"]["note"] = "Auszug {answers.moving_on}"
    made = read_journey("cancellation", body, TEXTS, "en")
    follows = consequences(made, {"reason": reason, "moving_on": moving_on}, situation())
    if reason != "moving":
        assert "moved_on" not in follows.mapped["0"]
        assert follows.mapped["0"]["note"] == "Auszug "
