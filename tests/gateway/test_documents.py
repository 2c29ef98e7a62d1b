"""Documents as text: laid out and read again, with the line of every path."""

from __future__ import annotations

import json

import pytest

from gateway.documents import Unreadable, difference, lay_out, line_of, read_text

DOCUMENT = {
    "journey": "moving",
    "title": {"de": 'Ein "Umzug", {so}: [was]', "en": "Moving"},
    "steps": [
        {
            "id": "one",
            "fields": {"a": {"type": "text", "label": {"de": "A" * 60, "en": "B" * 60}}, "b": {"type": "date"}},
        },
        {"id": "two", "when": [{"answers.a": {"is": "x"}}], "fields": {}},
    ],
    "empty": [],
    "flags": [True, None, -1.5],
}


def test_what_is_laid_out_is_read_again() -> None:
    text = lay_out(DOCUMENT)
    assert read_text(text) == DOCUMENT
    assert list(read_text(text)) == list(DOCUMENT)
    assert max(len(line) for line in text.splitlines()) < 140
    assert '  "flags": [true, null, -1.5]' in text.splitlines()


@pytest.mark.parametrize(
    ("path", "start"),
    [
        ("title", '"title"'),
        ("title.en", '"title"'),
        ("steps.0.fields.a.label.en", '"en": "BBB'),
        ("steps.0.fields.b.type", '"b"'),
        ("steps.1.when.0", '{"id": "two"'),
        ("steps.1.missing", '{"id": "two"'),
        ("flags.2", '"flags"'),
        ("nothing.of.it", "{"),
        ("", "{"),
    ],
)
def test_the_line_of_a_path_is_found(path: str, start: str) -> None:
    text = lay_out(DOCUMENT)
    assert text.splitlines()[line_of(text, path) - 1].strip().startswith(start)


def test_lines_are_found_however_it_is_written() -> None:
    text = json.dumps(DOCUMENT, indent=4)
    assert '"two"' in text.splitlines()[line_of(text, "steps.1.id") - 1]
    assert line_of(json.dumps(DOCUMENT), "steps.1.id") == 1


@pytest.mark.parametrize("text", ["", "{", '{"a": 1,}', "[]", '"text"', "[" * 100_000, "{}" + " " * 400_000])
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read_text(text)


def test_a_difference_shows_a_few_lines_around() -> None:
    before = "\n".join(str(number) for number in range(40))
    after = before.replace("\n5\n", "\nfive\n").replace("\n30\n", "\n")
    rows = difference(before, after)
    changed = [(row.kind, row.text, row.before, row.after) for row in rows if row.kind in {"gone", "new"}]
    assert changed == [("gone", "5", 6, None), ("new", "five", None, 6), ("gone", "30", 31, None)]
    assert [row.kind for row in rows].count("gap") == 1
    assert len(rows) == 16
    assert difference(before, before) == []
