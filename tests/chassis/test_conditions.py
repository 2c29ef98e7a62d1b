"""The condition language: what is a condition, and what holds when."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from chassis.conditions import holds
from chassis.documents import SENTENCES as DOCUMENT_SENTENCES
from contracts.conditions import OPERATORS, SENTENCES, When, paths, places

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
FACTS = {
    "contract": {"status": "active", "ends_on": "2026-11-22", "price": 12.5, "nested": {"deep": {"er": 1}}},
    "contact": {"divisions": ["electricity", "gas"], "card": "2026-11-22T12:00:00+01:00", "empty": ""},
}


class Rule(BaseModel):
    when: When = ()


@pytest.mark.parametrize(
    ("path", "operator", "value", "expected"),
    [
        ("contract.status", "is", "active", True),
        ("contract.status", "is_not", "active", False),
        ("contract.none", "is_not", "active", True),
        ("contract.status", "one_of", ["draft", "active"], True),
        ("contact.divisions", "contains", "gas", True),
        ("contact.divisions", "contains", "water", False),
        ("contract.price", "greater", 12, True),
        ("contract.price", "less", 12, False),
        ("contract.status", "greater", 1, False),
        ("contract.ends_on", "before", "today", False),
        ("contract.ends_on", "before", "2026-11-23", True),
        ("contract.ends_on", "after", "2026-11-21", True),
        ("contact.card", "after", "now", True),
        ("contact.card", "before", "2026-11-22T11:30:00Z", True),
        ("contract.status", "after", "now", False),
        ("contact.empty", "exists", False, True),
        ("contract.status", "exists", True, True),
        ("nobody.status", "exists", True, False),
        ("contract.nested.deep.er", "is", 1, True),
    ],
)
def test_tests(path: str, operator: str, value: Any, expected: bool) -> None:
    condition = {path: {operator: value}}
    assert Rule(when=[condition]).when == (condition,)
    assert holds([condition], FACTS, NOW) is expected
    assert holds([{"not": condition}], FACTS, NOW) is not expected
    assert holds([{"not": [condition]}], FACTS, NOW) is not expected


def test_any_all_and_not_nest() -> None:
    active, closed = {"contract.status": {"is": "active"}}, {"contract.status": {"is": "closed"}}
    assert holds([], FACTS, NOW)
    assert not holds([active, closed], FACTS, NOW)
    assert holds([{"any": [closed, {"all": [active, {"not": closed}]}]}], FACTS, NOW)


@pytest.mark.parametrize(
    ("conditions", "place", "kind"),
    [
        ([{"status": {"is": 1}}], (0,), "condition_path"),
        ([{"Contract.status": {"is": 1}}], (0,), "condition_path"),
        ([{"contract.status": "active"}], (0, "contract.status"), "condition_test"),
        ([{"contract.status": {"equals": 1}}], (0, "contract.status"), "condition_operator"),
        ([{"a.b": {"is": 1}, "a.c": {"is": 1}}], (0,), "condition_form"),
        ([{"any": [{"a.b": {"one_of": "x"}}]}], (0, "any", 0, "a.b", "one_of"), "condition_one_of"),
        ([{"not": {"a.b": {"exists": 1}}}], (0, "not", "a.b", "exists"), "condition_exists"),
        ([{"a.b": {"before": "2027-13-01"}}], (0, "a.b", "before"), "condition_before"),
        ([{"a.b": {"after": "tomorrow"}}], (0, "a.b", "after"), "condition_after"),
        ([{"a.b": {"greater": True}}], (0, "a.b", "greater"), "condition_greater"),
        ([{"a.b": {"less": "1"}}], (0, "a.b", "less"), "condition_less"),
        ([{"a.b": {"contains": 1}}], (0, "a.b", "contains"), "condition_contains"),
        ([{"any": {"a.b": {"is": 1}}}], (0, "any"), "condition_list"),
        ([{"a.b": {"is": 1}}] * 51, (), "condition_size"),
        ([{"not": {"not": {"not": {"not": {"not": {"not": {"a.b": {"is": 1}}}}}}}}], None, "condition_size"),
    ],
)
def test_a_mistake_is_told_with_its_place(conditions: Any, place: tuple[Any, ...] | None, kind: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Rule(when=conditions)
    ((location, type_),) = [(error["loc"], error["type"]) for error in caught.value.errors()]
    assert type_ == kind
    assert place is None or location == ("when", *place)


def test_every_mistake_has_its_sentence_in_every_language() -> None:
    assert {*SENTENCES} <= {*DOCUMENT_SENTENCES.sentences}
    assert {f"condition_{operator}" for operator in OPERATORS if operator not in {"is", "is_not"}} <= {*SENTENCES}


def test_paths_are_found_wherever_they_stand() -> None:
    conditions = [{"a.b": {"is": 1}}, {"any": [{"c.d": {"is": 1}}, {"not": {"all": [{"e.f": {"is": 1}}]}}]}]
    assert list(paths(conditions)) == ["a.b", "c.d", "e.f"]
    assert list(places(conditions))[2] == ("e.f", (1, "any", 1, "not", "all", 0))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.datetimes().map(str)
    | st.dates().map(str) | st.just("0001-01-01T00:00:00+14:00") | st.just("9999-12-31T23:59:59-12:00"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@given(value=VALUES, operator=st.sampled_from(OPERATORS), wanted=VALUES | st.sampled_from(["now", "today"]))
def test_what_passes_the_check_can_be_asked_of_anything(value: Any, operator: str, wanted: Any) -> None:
    try:
        rule = Rule(when=[{"a.b": {operator: wanted}}])
    except ValidationError:
        return
    assert holds(rule.when, {"a": {"b": value}}, NOW) in {True, False}
