"""The words by which people look for a record: folded, so that case, accents, hyphens and umlauts do not matter."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from contracts.common import Json

MOST_WORDS = 200
MOST_WANTED = 8
LONGEST_WORD = 60
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_WORD = re.compile(r"[^\W_]+")


def words_of(values: Iterable[Json]) -> str:
    """The words of all texts among these values, each once."""
    texts = (text for value in values for text in (value if isinstance(value, list) else [value]))
    found = dict.fromkeys(word for text in texts if isinstance(text, str) for word in _words(text))
    return " ".join(list(found)[:MOST_WORDS])


def wanted_words(search: str) -> list[str]:
    """The beginnings of words that a record must all have."""
    return list(dict.fromkeys(_words(search)))[:MOST_WANTED]


def _words(text: str) -> list[str]:
    spelled = unicodedata.normalize("NFC", text).casefold().translate(_UMLAUTS)
    plain = "".join(each for each in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(each))
    return [word[:LONGEST_WORD] for word in _WORD.findall(plain)]
