"""Whatever the code refuses with has a sentence in German and English, and is given the facts that it names."""

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from chassis.http.app import OWN_TEXTS
from chassis.texts import Texts

REPOSITORY = Path(__file__).parents[1]
REFUSALS = {"Rejected", "NotFound", "Forbidden", "Unauthenticated"}
TEXTS = {
    "chassis": OWN_TEXTS,
    **{
        str(path.parent.relative_to(REPOSITORY)): OWN_TEXTS | Texts.load(path)
        for path in sorted(REPOSITORY.glob("services/*/texts.yaml"))
    },
}


def refusals(folder: str) -> Iterator[tuple[str, str, set[str] | None]]:
    """Where, with which code and which facts (None: not written at this place) something is refused."""
    for path in sorted((REPOSITORY / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(code)), *_], keywords=keywords) if (
                    name in REFUSALS
                ):
                    facts = {keyword.arg for keyword in keywords if keyword.arg}
                    place = f"{path.relative_to(REPOSITORY)}:{node.lineno}"
                    yield place, code, facts if len(facts) == len(keywords) else None


@pytest.mark.parametrize("folder", TEXTS)
def test_every_refusal_has_its_sentence(folder: str) -> None:
    mistakes = []
    found = list(refusals(folder))
    for place, code, facts in found:
        sentence = TEXTS[folder].sentences.get(code)
        named = {name for _, name, _, _ in Formatter().parse(sentence["en"] if sentence else "") if name}
        if sentence is None:
            mistakes.append(f"{place}: {code} has no sentence")
        elif facts is not None and (missing := named - facts):
            mistakes.append(f"{place}: {code} is not given {', '.join(sorted(missing))}")
    assert not mistakes, "\n".join(mistakes)


def test_refusals_are_found_at_all() -> None:
    codes = {code for folder in TEXTS for _, code, _ in refusals(folder)}
    assert {"invalid_json", "token_expired", "machine_exists", "invalid_person"} <= codes
