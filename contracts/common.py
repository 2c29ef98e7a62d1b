"""Values that several events share: money, dates of instalments, texts for people."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints

from contracts.base import Contract

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Cents = Annotated[int, Field(ge=-(2**53), le=2**53, description="Integer cents of the currency")]
Language = Literal["de", "en"]
Json = JsonValue


class Text(Contract):
    """A text for people in every language of the portals."""

    de: str
    en: str


class Instalment(Contract):
    """One payment of an instalment plan."""

    due_on: date
    amount_cents: Annotated[Cents, Field(ge=0)]
