"""Every text is in a catalogue, in both languages, and used; no template has words of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import Environment

from gateway.rendering import HERE, load_texts

TEMPLATES = sorted(HERE.rglob("*.html"))
CODE = sorted(HERE.rglob("*.py"))
NOT_TRANSLATED = {"styleguide.html"}
"""Its words are examples for developers."""
SPOKEN = ("alt", "aria-label", "placeholder", "title")
KEY = r"[a-z][a-z0-9_]*(?:\.[a-z0-9_-]+)+"
LITERAL = re.compile(r"""["']([a-z][a-z0-9_]*(?:\.[a-z0-9_-]+)*\.?)["']""")
TEXTS = load_texts()
NAME = re.compile(r"[A-Za-zÄÖÜäöüß]{2,}")


def of(path: Path) -> str:
    return str(path.relative_to(HERE))


def literals(path: Path) -> set[str]:
    return set(LITERAL.findall(path.read_text(encoding="utf-8")))


def words_outside(template: str) -> list[str]:
    """Words that a template itself says: between tags, and in attributes that are read out."""
    said = "".join(value for _, kind, value in Environment(autoescape=True).lex(template) if kind == "data")
    said = re.sub(r"<(style|script|svg)\b.*?</\1>", " ", said, flags=re.DOTALL)
    spoken = re.findall(rf"""\b(?:{"|".join(SPOKEN)})="([^"]*)\"""", said)
    between = re.sub(r"<[^>]*>", " ", said)
    between = re.sub(r"&[a-z]+;|\S*=\"[^\"]*\"|[<>/]\S*", " ", between)
    return [word for text in (*spoken, between) for word in NAME.findall(text)]


@pytest.mark.parametrize("path", [path for path in TEMPLATES if path.name not in NOT_TRANSLATED], ids=of)
def test_a_template_has_no_words_of_its_own(path: Path) -> None:
    assert words_outside(path.read_text(encoding="utf-8")) == []


def test_words_are_found_where_they_hide() -> None:
    assert words_outside('<p class="x">{{ t("a.b") }}</p>') == []
    assert words_outside('<p>Guten Tag</p><input placeholder="Name">') == ["Name", "Guten", "Tag"]


@pytest.mark.parametrize("path", TEMPLATES, ids=of)
def test_every_key_that_a_template_names_has_a_text(path: Path) -> None:
    named = re.findall(rf"""\bt\(\s*["']({KEY})["']\s*[,)]""", path.read_text(encoding="utf-8"))
    assert [key for key in named if key not in TEXTS] == []


@pytest.mark.parametrize("path", CODE, ids=of)
def test_every_key_that_code_says_has_a_text(path: Path) -> None:
    named = re.findall(rf"""(?:\bsay\(|\bsaid=)\s*["']({KEY})["']""", path.read_text(encoding="utf-8"))
    assert [key for key in named if key not in TEXTS] == []


def test_every_text_is_used() -> None:
    named = set().union(*(literals(path) for path in (*TEMPLATES, *CODE)))
    prefixes = tuple(key for key in named if key.endswith("."))
    unused = [key for key in TEXTS.sentences if key not in named and not key.startswith(prefixes)]
    assert unused == []
