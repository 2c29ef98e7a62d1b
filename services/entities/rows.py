"""What imports and records agree on: rows as they come in, and what became of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from unicodedata import normalize

from chassis.errors import Rejected
from contracts.envelope import Metadata
from contracts.ids import Position
from services.entities.schema import Schema
from services.entities.values import LIST_SEPARATOR, parse

Effect = Literal["created", "updated", "unchanged"]
MAXIMUM_REFERENCES = 1_000
MAXIMUM_REFERENCE = 200


@dataclass(frozen=True, slots=True)
class Row:
    """A record as another system tells it: raw values of attributes, and related records by their external ids."""

    external_id: str
    values: Mapping[str, object]
    references: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Written:
    """A row that was taken over, or that said nothing new."""

    id: str
    effect: Effect
    position: Position


WriteRows = Callable[[Schema, Sequence[Row], Metadata], Awaitable[list[Written | Rejected]]]
"""Takes over rows of different records, each for itself: a refusal stands in its row's place."""


def read_row(schema: Schema, cells: Mapping[str, object], external_id: str | None = None) -> Row:
    """A row from raw cells by attribute or relation; the external id may be given beside them.

    Raises Rejected when there is no external id, or one that cannot be, and for references that are no texts.
    """
    values = {name: cell for name, cell in cells.items() if name not in schema.relations}
    raw = external_id or cells.get(schema.external_id)
    named = parse(schema.external_id, schema.attributes[schema.external_id], raw)
    if not isinstance(named, str):
        raise Rejected("invalid_missing", attribute=schema.external_id)
    references = {name: _references(name, cells[name]) for name in schema.relations if name in cells}
    return Row(named, values, references)


def _references(name: str, raw: object) -> tuple[str, ...]:
    items = raw.split(LIST_SEPARATOR) if isinstance(raw, str) else [] if raw is None else raw
    if not isinstance(items, list | tuple) or len(items) > MAXIMUM_REFERENCES:
        raise Rejected("invalid_reference", attribute=name)
    external_ids: dict[str, None] = {}
    for item in items:
        if not isinstance(item, str) or len(item) > MAXIMUM_REFERENCE:
            raise Rejected("invalid_reference", attribute=name)
        if item.strip():
            external_ids[normalize("NFC", item.strip())] = None
    return tuple(external_ids)
