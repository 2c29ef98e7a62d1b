"""Answers as people read them: for "check your answers", for the receipt, and for staff."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ConfigDict, Field

from contracts.common import Json, Language, Text
from services.journeys.form.document import JourneyDocument
from services.journeys.form.fields import FilesField
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
    document: JourneyDocument, answers: Mapping[str, Json], names: Mapping[str, str], language: Language
) -> Iterator[Answered]:
    """The answers in the order of the steps. `names` are those of files by their ids."""
    for step in document.steps:
        for name, field in step.questions().items():
            if name not in answers:
                continue
            value = answers[name]
            if isinstance(field, FilesField):
                ids = value if isinstance(value, list) else []
                text = ", ".join(names.get(str(each), str(each)) for each in ids)
            else:
                text = field.say(value, language)
            yield Answered(step=step.id, field=name, label=label_of(step, name, field), value=value, text=text)
