"""Answers as people read them: for "check your answers", for the receipt, and for staff."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from contracts.common import Json, Language, Text
from services.journeys.form.document import JourneyDocument
from services.journeys.form.fields import FilesField, Question
from services.journeys.form.schemas import label_of


class Answered(BaseModel):
    """One question that was answered."""

    model_config = ConfigDict(frozen=True)

    step: str
    field: str
    label: Text
    value: Json
    text: str = Field(description="The answer as people write it, in the language of the submission")


def summary_of(
    document: JourneyDocument,
    answers: Mapping[str, Json],
    asked: Mapping[str, Sequence[str]],
    names: Mapping[str, str],
    language: Language,
) -> Iterator[Answered]:
    """The answers in the order of the steps, and what was asked and means something by being left open.

    `asked` are the fields of the steps that were gone through; `names` are those of files by their ids.
    """
    for step in document.steps:
        for name, field in step.questions().items():
            value = answers.get(name)
            if name in answers:
                text = _said(field, value, names, language)
            elif field.unanswered and name in asked.get(step.id, ()):
                text = getattr(field.unanswered, language)
            else:
                continue
            yield Answered(step=step.id, field=name, label=label_of(step, name, field), value=value, text=text)


def _said(field: Question, value: Json, names: Mapping[str, str], language: Language) -> str:
    if isinstance(field, FilesField):
        ids = value if isinstance(value, list) else []
        return ", ".join(names.get(str(each), str(each)) for each in ids)
    return field.say(value, language)
