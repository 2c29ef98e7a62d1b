"""The smallest parts of a journey's document: strict about every key, with every text in every language."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import ConfigDict, StringConstraints

from contracts.base import Contract
from contracts.common import Text

_NAME = re.compile(r"^[a-z][a-z0-9_]{0,62}$")
Name = Annotated[str, StringConstraints(pattern=_NAME.pattern)]
"""What fields, steps, attributes and entities are called."""
Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
"""What documents are called."""


class Part(Contract):
    """A part of a document: a key that nobody knows is a mistake."""

    model_config = ConfigDict(extra="forbid")


class Words(Text):
    """A few words in every language of the portals."""

    model_config = ConfigDict(extra="forbid")

    de: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
    en: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


class Paragraphs(Text):
    """A longer text in every language of the portals."""

    model_config = ConfigDict(extra="forbid")

    de: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5_000)]
    en: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5_000)]


def is_name(text: str) -> bool:
    """Whether conditions and expressions can ask for something of this name."""
    return _NAME.fullmatch(text) is not None
