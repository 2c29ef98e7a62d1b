"""What became of each row of an import. It names rows and external ids and says why, but holds no personal values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from chassis.errors import Rejected
from chassis.texts import Texts
from contracts.common import Language, Text
from contracts.ids import Position
from services.entities.rows import Written
from services.entities.schema import Schema

Outcome = Literal["created", "updated", "unchanged", "refused"]
MAXIMUM_SHOWN_ID = 100
FALLBACK = "invalid_reference"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Reason(_Part):
    """Why a row was refused."""

    code: str
    attribute: str | None = Field(description="The column at fault, where there is one")
    text: Text


class RowReport(_Part):
    """What became of a row."""

    row: int = Field(description="Counted from 1; in a CSV file the header is row 1")
    external_id: str | None
    outcome: Outcome
    id: str | None = Field(description="The record, unless the row was refused")
    reason: Reason | None = None


class ImportSummary(_Part):
    """An import, and how many rows ended how."""

    id: str
    entity: str
    created: int
    updated: int
    unchanged: int
    refused: int


class DatedSummary(ImportSummary):
    """An import that is over."""

    completed_at: datetime


class ImportReport(ImportSummary):
    """What became of an import."""

    only_when_new: tuple[str, ...] = Field(
        description="Columns that a service decides: they were taken for new records and passed over for others"
    )
    positions: tuple[str, ...] = Field(description="The last event of each shard: where a view must be to show it all")
    rows: tuple[RowReport, ...]


def report_row(texts: Texts, schema: Schema, number: int, external_id: object, result: Written | Rejected) -> RowReport:
    shown = external_id.strip()[:MAXIMUM_SHOWN_ID] or None if isinstance(external_id, str) else None
    if isinstance(result, Written):
        return RowReport(row=number, external_id=shown, outcome=result.effect, id=result.id)
    attribute = result.facts.get("attribute")
    reason = Reason(
        code=result.code,
        attribute=attribute if isinstance(attribute, str) else None,
        text=Text(de=_say(texts, schema, result, "de"), en=_say(texts, schema, result, "en")),
    )
    return RowReport(row=number, external_id=shown, outcome="refused", id=None, reason=reason)


def _say(texts: Texts, schema: Schema, rejected: Rejected, language: Language) -> str:
    """The sentence in words of the file: a column is called by its label."""
    column = schema.columns.get(str(rejected.facts.get("attribute")))
    label = {"attribute": getattr(column.label, language)} if column and column.label else {}
    facts = {**rejected.facts, **label}
    return texts.say(rejected.code, language, facts) or texts.say(FALLBACK, language, facts) or rejected.code


def last_positions(positions: Sequence[Position]) -> tuple[str, ...]:
    """The latest position of each shard."""
    last = {position.shard: position for position in sorted(positions)}
    return tuple(str(position) for position in last.values())
