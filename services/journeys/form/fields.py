"""The questions of a journey: what each may be answered with (as JSON Schema), and how an answer reads.

Every type knows four things: the schema of its answer, how an answer is tidied, how it is said to people, and what it
is called where the document gives it no label.
"""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field as Described
from pydantic import StringConstraints

from chassis.texts import format_fact
from contracts.common import Json, Language
from contracts.conditions import When
from services.journeys.form.words import Paragraphs, Part, Words
from services.journeys.kinds import Kind

MAXIMUM_OPTIONS = 100
MAXIMUM_FILES = 20
MAXIMUM_MEGABYTES = 10
MAXIMUM_CENTS = 10**12
MAXIMUM_NUMBER = 2**53

Option = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Options = Annotated[dict[Option, Words], Described(min_length=1, max_length=MAXIMUM_OPTIONS)]
Bound = Literal["today"] | date
Length = Annotated[int, Described(ge=1, le=20_000)]
Count = Annotated[int, Described(ge=1, le=MAXIMUM_OPTIONS)]
Number = Annotated[float, Described(ge=-MAXIMUM_NUMBER, le=MAXIMUM_NUMBER, allow_inf_nan=False)]
Whole = Annotated[int, Described(ge=-MAXIMUM_NUMBER, le=MAXIMUM_NUMBER)]
Cents = Annotated[int, Described(ge=-MAXIMUM_CENTS, le=MAXIMUM_CENTS)]


class Question(Part, ABC):
    """What all fields have in common. `when`: it is asked, and its answer counts, only while these conditions hold."""

    asks: ClassVar[bool] = True
    usual_label: ClassVar[Words | None] = None
    unanswered: ClassVar[Words | None] = None
    """What it means that it was asked and left open, where that is an answer."""

    type: str
    label: Words | None = None
    hint: Words | None = None
    required: bool = False
    when: When = ()

    @property
    def if_missing(self) -> str:
        """The code of what is said where an answer is required and there is none."""
        return "answer_missing"

    @abstractmethod
    def allows(self, today: date) -> dict[str, Any]:
        """JSON Schema of an answer that was given."""

    def tidy(self, value: Json) -> Json:
        """The answer as it is kept; None for nothing."""
        if isinstance(value, str):
            value = unicodedata.normalize("NFC", value.strip())
        return None if value == "" else value

    def say(self, value: Json, language: Language) -> str:
        """The answer as people write it."""
        return format_fact("answer", value, language, {})


class _Texts(Question):
    min_length: Length = 1
    max_length: Length

    def allows(self, today: date) -> dict[str, Any]:
        return {"type": "string", "minLength": self.min_length, "maxLength": self.max_length}


class TextField(_Texts):
    """A line of text."""

    type: Literal["text"]
    max_length: Length = 200


class LongTextField(_Texts):
    """Several lines of text."""

    type: Literal["longtext"]
    max_length: Length = 4_000


class EmailField(Question):
    """An e-mail address."""

    usual_label = Words(de="E-Mail-Adresse", en="E-mail address")
    type: Literal["email"]

    def allows(self, today: date) -> dict[str, Any]:
        return {"type": "string", "format": "email", "maxLength": 254}


class PhoneField(Question):
    """A telephone number."""

    usual_label = Words(de="Telefonnummer", en="Telephone number")
    type: Literal["phone"]

    def allows(self, today: date) -> dict[str, Any]:
        return {"type": "string", "format": "phone", "maxLength": 30}

    def tidy(self, value: Json) -> Json:
        return " ".join(value.split()) or None if isinstance(value, str) else value


class IbanField(Question):
    """An account's number; kept without spaces."""

    usual_label = Words(de="IBAN", en="IBAN")
    type: Literal["iban"]

    def allows(self, today: date) -> dict[str, Any]:
        return {"type": "string", "format": "iban", "maxLength": 34}

    def tidy(self, value: Json) -> Json:
        return "".join(value.split()).upper() or None if isinstance(value, str) else value

    def say(self, value: Json, language: Language) -> str:
        text = str(value)
        return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


class NumberField(Question):
    """A number."""

    type: Literal["number"]
    min: Number | None = None
    max: Number | None = None

    def allows(self, today: date) -> dict[str, Any]:
        return {"type": "number"} | _between(self.min, self.max)


class IntegerField(Question):
    """A whole number."""

    type: Literal["integer"]
    min: Whole | None = None
    max: Whole | None = None

    def allows(self, today: date) -> dict[str, Any]:
        return {"type": "integer"} | _between(self.min, self.max)


class MoneyField(Question):
    """An amount, as integer cents of a currency."""

    type: Literal["money"]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "EUR"
    min_cents: Cents = 0
    max_cents: Cents = MAXIMUM_CENTS

    def allows(self, today: date) -> dict[str, Any]:
        return {"type": "integer"} | _between(self.min_cents, self.max_cents)

    def say(self, value: Json, language: Language) -> str:
        return format_fact("answer_cents", value, language, {"currency": self.currency})


class DateField(Question):
    """A day, perhaps not before or after another."""

    usual_label = Words(de="Datum", en="Date")
    type: Literal["date"]
    min: Bound | None = None
    max: Bound | None = None

    def allows(self, today: date) -> dict[str, Any]:
        bounds = {"formatMinimum": self.min, "formatMaximum": self.max}
        told = {name: _day(bound, today) for name, bound in bounds.items() if bound is not None}
        return {"type": "string", "format": "date", **told}

    def say(self, value: Json, language: Language) -> str:
        return _say_day(value, language)


class CancellationDateField(Question):
    """When a contract shall end; billing's preview says which dates are possible. No answer: as soon as possible."""

    usual_label = Words(de="Gewünschtes Vertragsende", en="Preferred end date")
    unanswered = Words(de="so früh wie möglich", en="as early as possible")
    type: Literal["cancellation_date"]
    of: Literal["context"] = "context"

    def allows(self, today: date) -> dict[str, Any]:
        return {"type": "string", "format": "date", "formatMinimum": today.isoformat()}

    def say(self, value: Json, language: Language) -> str:
        return _say_day(value, language)


class BooleanField(Question):
    """Yes or no; `confirm`: only yes will do, as for terms."""

    type: Literal["boolean"]
    confirm: bool = False

    @property
    def if_missing(self) -> str:
        return "answer_confirm" if self.confirm else "answer_not_chosen"

    def allows(self, today: date) -> dict[str, Any]:
        return {"type": "boolean", "const": True} if self.confirm else {"type": "boolean"}


class ChoiceField(Question):
    """One of some options."""

    type: Literal["choice"]
    options: Options

    @property
    def if_missing(self) -> str:
        return "answer_not_chosen"

    def allows(self, today: date) -> dict[str, Any]:
        return {"enum": list(self.options)}

    def say(self, value: Json, language: Language) -> str:
        return _label(self.options, value, language)


class ChoicesField(Question):
    """Any of some options."""

    type: Literal["choices"]
    options: Options
    min: Count | None = None
    max: Count | None = None

    @property
    def if_missing(self) -> str:
        return "answer_not_chosen"

    def allows(self, today: date) -> dict[str, Any]:
        counts = {"minItems": self.min or 1, "maxItems": self.max or len(self.options)}
        return {"type": "array", "items": {"enum": list(self.options)}, "uniqueItems": True, **counts}

    def tidy(self, value: Json) -> Json:
        return value if value != [] else None

    def say(self, value: Json, language: Language) -> str:
        chosen = value if isinstance(value, list) else [value]
        return ", ".join(_label(self.options, each, language) for each in chosen)


class FilesField(Question):
    """Files that were sent to the submission beforehand; the answer is the list of their ids."""

    usual_label = Words(de="Dateien", en="Files")
    type: Literal["files"]
    max: Annotated[int, Described(ge=1, le=MAXIMUM_FILES)] = 1
    accept: Annotated[tuple[Kind, ...], Described(min_length=1)] = ("pdf", "jpg", "png")
    max_megabytes: Annotated[int, Described(ge=1, le=MAXIMUM_MEGABYTES)] = MAXIMUM_MEGABYTES

    @property
    def if_missing(self) -> str:
        return "answer_no_file"

    def allows(self, today: date) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": self.max}

    def tidy(self, value: Json) -> Json:
        return value if value != [] else None


class InfoField(Part):
    """A text between the questions."""

    asks: ClassVar[bool] = False

    type: Literal["info"]
    text: Paragraphs
    when: When = ()


class OpenField(Question):
    """A property of a step's own schema. It never stands in a document by itself."""

    type: Literal["schema"] = "schema"
    own: dict[str, Json] = Described(default={})

    def allows(self, today: date) -> dict[str, Any]:
        return self.own

    def tidy(self, value: Json) -> Json:
        return value

    def say(self, value: Json, language: Language) -> str:
        if isinstance(value, dict):
            return ", ".join(f"{name}: {self.say(each, language)}" for name, each in value.items())
        if isinstance(value, list):
            return ", ".join(self.say(each, language) for each in value)
        return super().say(value, language)


Field = Annotated[
    TextField
    | LongTextField
    | EmailField
    | PhoneField
    | IbanField
    | NumberField
    | IntegerField
    | MoneyField
    | DateField
    | CancellationDateField
    | BooleanField
    | ChoiceField
    | ChoicesField
    | FilesField
    | InfoField,
    Described(discriminator="type"),
]


def _between(low: float | None, high: float | None) -> dict[str, float]:
    bounds = {"minimum": low, "maximum": high}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _day(bound: Bound, today: date) -> str:
    return (today if bound == "today" else bound).isoformat()


def _say_day(value: Json, language: Language) -> str:
    try:
        return format_fact("answer", date.fromisoformat(str(value)), language, {})
    except ValueError:
        return str(value)


def _label(options: dict[str, Words], value: Json, language: Language) -> str:
    label = options.get(value) if isinstance(value, str) else None
    return getattr(label, language) if label else str(value)
