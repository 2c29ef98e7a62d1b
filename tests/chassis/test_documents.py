"""Mistakes in documents: told with their place, without the model's inner names, in both languages."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import httpx
import pytest
from fastapi import Body
from pydantic import BaseModel, ConfigDict, Field, field_validator

from chassis.auth import LocalKeys, TokenVerifier
from chassis.documents import InvalidDocument, Mistake, read_document
from chassis.http import create_app
from chassis.texts import LANGUAGES, Texts
from contracts.common import Language, Text
from contracts.conditions import When


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Group(_Part):
    group: str


class Mail(_Part):
    kind: Literal["mail"] = "mail"
    template: str


class Start(_Part):
    kind: Literal["start"] = "start"
    process: Annotated[str, Field(pattern="^[a-z]+$")]


class Step(_Part):
    title: Text
    assign: Literal["customer", "installer"] | Group | None = None
    when: When = ()
    does: tuple[Annotated[Mail | Start, Field(discriminator="kind")], ...] = ()
    due_on: date | None = None


class Plan(_Part):
    plan: Annotated[str, Field(min_length=2, max_length=5)]
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    by_name: dict[str, Step] = {}

    @field_validator("plan")
    @classmethod
    def _is_not_reserved(cls, value: str) -> str:
        if value == "none":
            raise ValueError("none is the name of something else")
        return value


def mistakes(body: Any, language: Language = "en") -> list[tuple[str, str]]:
    with pytest.raises(InvalidDocument) as caught:
        read_document(Plan, body, language)
    assert caught.value.code == "invalid_document"
    assert caught.value.facts["mistakes"] == caught.value.mistakes
    return [(mistake.path, mistake.detail) for mistake in caught.value.mistakes]


def plan(**step: Any) -> dict[str, Any]:
    return {"plan": "one", "steps": [{"title": {"de": "Eins", "en": "One"}, **step}]}


def test_a_good_document_becomes_its_model() -> None:
    read = read_document(Plan, plan(assign={"group": "office"}, due_on="2027-01-31"), "de")
    assert read.steps[0].assign == Group(group="office")
    assert read.steps[0].due_on == date(2027, 1, 31)


def test_all_mistakes_are_told_at_once() -> None:
    told = mistakes({"plan": "much too long", "steps": [{"title": {"de": "Eins"}}]})
    assert told == [("plan", "may be at most 5 characters long"), ("steps.0.title.en", "is missing")]


def test_an_unknown_name_is_told_with_the_possible_ones() -> None:
    told = mistakes(plan(asign="customer"))
    assert told == [
        (
            "steps.0.asign",
            "'asign' is unknown here; perhaps assign is meant. Possible are title, assign, when, does, due_on",
        )
    ]
    assert mistakes({**plan(), "nonsense": 1}) == [
        ("nonsense", "'nonsense' is unknown here; possible are plan, steps, by_name")
    ]
    assert mistakes({**plan(), "by_name": {"a": {"title": {"de": "A", "en": "A"}, "whn": []}}})[0][1].startswith(
        "'whn' is unknown here; perhaps when is meant."
    )


def test_branches_of_unions_are_not_part_of_the_path() -> None:
    assert mistakes(plan(does=[{"kind": "start", "process": "NO"}])) == [
        ("steps.0.does.0.process", "does not match the pattern ^[a-z]+$")
    ]
    assert mistakes(plan(does=[{"kind": "mail"}])) == [("steps.0.does.0.template", "is missing")]
    assert mistakes(plan(does=[{"kind": "fax"}])) == [("steps.0.does.0", "must be one of these: 'mail', 'start'")]


def test_the_wrong_branch_of_a_union_is_not_mentioned() -> None:
    assert mistakes(plan(assign={"group": 5})) == [("steps.0.assign.group", "must be a text")]
    assert ("steps.0.assign", "must be one of these: 'customer', 'installer'") in mistakes(plan(assign="nobody"))


def test_our_own_sentences_stay_as_they_are() -> None:
    assert mistakes({**plan(), "plan": "none"}) == [("plan", "none is the name of something else")]
    ((path, detail),) = mistakes(plan(when=[{"contract.status": {"like": "a%"}}]))
    assert path == "steps.0.when.0.contract.status"
    assert "like" in detail


@pytest.mark.parametrize(
    ("body", "path", "de", "en"),
    [
        ([], "", "muss Namen mit Werten haben ({name: wert})", "must be names with values ({name: value})"),
        ({"plan": 5, "steps": [1]}, "plan", "muss ein Text sein", "must be a text"),
        ({"plan": "one", "steps": []}, "steps", "braucht mindestens 1 Einträge", "needs at least 1 entries"),
        ({"plan": "one"}, "steps", "fehlt", "is missing"),
        (
            plan(due_on="soon"),
            "steps.0.due_on",
            "muss ein Datum wie 2027-01-31 sein",
            "must be a date such as 2027-01-31",
        ),
        (plan(when="x"), "steps.0.when", "muss eine Liste sein", "must be a list"),
    ],
)
def test_every_kind_has_its_sentence(body: Any, path: str, de: str, en: str) -> None:
    for language, sentence in zip(LANGUAGES, (de, en), strict=True):
        assert (path, sentence) in mistakes(body, language)


def test_the_number_of_mistakes_told_is_bounded() -> None:
    refused = InvalidDocument([Mistake(f"steps.{number}", "fehlt") for number in range(1_000)])
    assert len(refused.mistakes) == 100
    assert refused.facts["count"] == 1_000


async def test_the_answer_is_a_problem_with_mistakes() -> None:
    app = create_app("test", Texts({}), TokenVerifier(LocalKeys([])))

    @app.put("/plan")
    async def put(body: Annotated[Any, Body()]) -> None:
        read_document(Plan, body, "de")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answered = await client.put("/plan", json={"steps": plan()["steps"]}, headers={"Accept-Language": "de"})
        described = (await client.get("/openapi.json")).json()
    assert answered.status_code == 422
    assert (
        answered.json() | {"code": "invalid_document", "mistakes": [{"path": "plan", "detail": "fehlt"}]}
        == answered.json()
    )
    assert answered.json()["detail"] == "Das Dokument stimmt an 1 Stelle(n) nicht."
    assert "mistakes" in described["components"]["schemas"]["Problem"]["properties"]
