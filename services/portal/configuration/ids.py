"""Ids of actions and links that nobody has named: the same document always gives the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

LONGEST = 50


def slug(title: str) -> str:
    """A title in small letters, digits and hyphens: `Report an outage` becomes `report-an-outage`."""
    plain = unicodedata.normalize("NFKD", title.lower().replace("ß", "ss")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST].strip("-") or "link"


def numbered(wanted: Sequence[str], given: Sequence[str | None]) -> list[str]:
    """The wanted ids, where nobody gave one with a number behind it when it is taken. Given ones stay as they are."""
    taken = {id_ for id_ in given if id_ is not None}
    found: list[str] = []
    for wish, fixed in zip(wanted, given, strict=True):
        number, id_ = 2, wish
        while fixed is None and id_ in taken:
            id_, number = f"{wish}-{number}", number + 1
        taken.add(id_)
        found.append(id_)
    return found
