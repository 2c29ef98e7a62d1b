"""YAML 1.2: what its plain words mean, what is refused, on which line a path stands, and that writing is reading."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.configuration.kinds import JOURNEY
from cli.configuration.writing import dump, in_order_of
from cli.configuration.yaml12 import Faulty, Values, compose, find_line


def read(text: str) -> tuple[Any, list[tuple[int, str, str]]]:
    values = Values()
    try:
        (node,) = compose(text)
        found = values.of(node)
    except Faulty as faulty:
        return None, [(faulty.fault.line, faulty.fault.path, faulty.fault.detail)]
    return found, [(fault.line, fault.path, fault.detail) for fault in values.faults]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on: contract", {"on": "contract"}),
        ("{yes: no, off: on}", {"yes": "no", "off": "on"}),
        ("a: 2027-01-31", {"a": "2027-01-31"}),
        ("a: 12:30", {"a": "12:30"}),
        ("a: 010", {"a": 10}),
        ("1: {true: ~}", {"1": {"true": None}}),
        ("[true, False, null, '', 1.5, 1e3, -3, 0x1F, 0o17]", [True, False, None, "", 1.5, 1000.0, -3, 31, 15]),
        ("a: .inf", {"a": ".inf"}),
        ("{de: Warum?, en: Why now?}", {"de": "Warum?", "en": "Why now?"}),
        ("a: 01945 Lindenau", {"a": "01945 Lindenau"}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
    ],
)
def test_plain_words_mean_what_yaml_1_2_says(text: str, value: Any) -> None:
    assert read(text) == (value, [])


@pytest.mark.parametrize(
    ("text", "line", "path", "said"),
    [
        ("a: 1\nb: [1, 2\nc: 3", 3, "", "expected ',' or ']'"),
        ("a:\n\t- 1", 2, "", "cannot start any token"),
        ("a: 1\nb: {c: 1, c: 2}", 2, "b.c", "is there twice"),
        ("a: 1\non: 2\non: 3", 3, "on", "is there twice"),
        ("? [a]\n: 1", 1, "", "a key must be a text"),
        ("a: !!python/object:os.system x", 1, "a", "is nothing that a document can hold"),
        ("a: *nobody", 1, "", "found undefined alias"),
        ("a: 1e999", 1, "a", "1e999 is larger than a number can be"),
        ("a: " + "[" * 100 + "]" * 100, 1, "a" + ".0" * 60, "has more than 60 levels"),
        ("a: &a [*a]", 1, "a" + ".0" * 60, "has more than 60 levels"),
        ("a: " + "[" * 1_200, 1, "", "levels deep"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, path: str, said: str) -> None:
    _, ((found_line, found_path, detail),) = read(text)
    assert (found_line, found_path) == (line, path)
    assert said in detail


def test_a_bomb_of_aliases_is_bounded() -> None:
    text = "a0: &a0 [1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
    )
    assert "has more than 100000 values" in read(text)[1][0][2]


DOCUMENT = """\
journey: cancellation
texts:
  start.welcome: {de: A, en: B}
steps:
  - id: one
    fields:
      reason:
        type: choice
  - {id: two,
     fields: {}}
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", 1),
        ("journey", 1),
        ("texts.start.welcome.en", 3),
        ("texts.start.goodbye", 2),
        ("steps.0.fields.reason.type", 8),
        ("steps.0.fields.reason.options", 7),
        ("steps.1", 9),
        ("steps.1.fields.x.y", 10),
        ("steps.7.id", 4),
        ("nothing", 1),
    ],
)
def test_a_path_has_a_line(path: str, line: int) -> None:
    (node,) = compose(DOCUMENT)
    assert find_line(node, path) == line


WORDS = st.sampled_from(
    ["on", "yes", "null", "true", "1", "1.5", "0x1", "~", "", "2027-01-31", "a: b", "# x", "- a", "'", "ä€\n"]
)
TEXTS = WORDS | st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=200) | st.just("a\nb\n")
CONTENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(TEXTS, CONTENTS, min_size=1, max_size=5))
def test_what_is_written_reads_as_the_same(content: dict[str, Any]) -> None:
    text = dump(JOURNEY, content)
    assert read(text) == (content, [])
    assert text == dump(JOURNEY, content)


def test_it_is_written_as_people_would() -> None:
    content = {
        "title": {"de": "Vertrag kündigen", "en": "Cancel contract"},
        "journey": "cancellation",
        "on": "contract",
        "body": "<mjml>\n</mjml>\n",
        "steps": [
            {
                "id": "reason",
                "fields": {"x": {"type": "choice", "options": {n: {"de": n * 9, "en": n * 9} for n in "abcd"}}},
            }
        ],
    }
    assert dump(JOURNEY, content).splitlines() == [
        "journey: cancellation",
        "title: {de: Vertrag kündigen, en: Cancel contract}",
        "on: contract",
        "body: |",
        "  <mjml>",
        "  </mjml>",
        "steps:",
        "- id: reason",
        "  fields:",
        "    x:",
        "      type: choice",
        "      options:",
        *[f"        {n}: {{de: {n * 9}, en: {n * 9}}}" for n in "abcd"],
    ]


def test_a_difference_shows_only_what_differs() -> None:
    now = {"b": {"y": 1, "x": 2}, "a": [{"d": 1, "c": 2}], "z": 0}
    assert list(in_order_of(now, {"a": [], "b": {"x": 0}})) == ["a", "b", "z"]
    assert list(in_order_of(now, {"b": {"x": 0}})["b"]) == ["x", "y"]
    assert in_order_of(now, {"a": 1}) == now
