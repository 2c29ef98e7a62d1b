"""An import from its rows to its report: in batches, each in one transaction, and complete at the end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid4, uuid5

from chassis.decider import Do
from chassis.errors import Conflict, Rejected
from chassis.streams import Outcome, Request, Streams
from chassis.texts import Texts
from contracts.ids import Position
from services.entities.imports.decider import IMPORTS, CompleteImport
from services.entities.imports.reading import RawRow, read_rows
from services.entities.imports.report import ImportReport, RowReport, last_positions, report_row
from services.entities.imports.views import Reports, save_report
from services.entities.rows import Row, WriteRows, Written, read_row
from services.entities.schema import Schema

BATCH_ROWS = 500


@dataclass(frozen=True)
class Importer:
    """What an import needs."""

    streams: Streams
    reports: Reports
    write_rows: WriteRows
    texts: Texts

    async def run(self, schema: Schema, body: bytes, media_type: str, request: Request) -> ImportReport:
        """Takes over the rows of a file. Raises Rejected when the file cannot be read at all.

        With an idempotency key that was used before it answers with the report of that time. An import that was cut
        off is simply sent again: what it had done is unchanged then.
        """
        id_ = str(uuid5(NAMESPACE_URL, request.key.key) if request.key else uuid4())
        if request.key and (before := await self.reports.find_repeated(id_, request.key)):
            return before
        raw_rows = await asyncio.to_thread(read_rows, schema, body, media_type)
        seen: dict[str, int] = {}
        rows: list[RowReport] = []
        positions: list[Position] = []
        for start in range(0, len(raw_rows), BATCH_ROWS):
            batch = raw_rows[start : start + BATCH_ROWS]
            checked = [_checked(schema, raw, seen) for raw in batch]
            accepted = [row for row in checked if isinstance(row, Row)]
            results = iter(await self.write_rows(schema, accepted, request.metadata) if accepted else ())
            for raw, row in zip(batch, checked, strict=True):
                result = next(results) if isinstance(row, Row) else row
                external_id = row.external_id if isinstance(row, Row) else raw.cells.get(schema.external_id)
                rows.append(report_row(self.texts, schema, raw.number, external_id, result))
                if isinstance(result, Written) and result.effect != "unchanged":
                    positions.append(result.position)
        report = _report(schema, id_, raw_rows, rows, positions)
        return await self._complete(report, request)

    async def _complete(self, report: ImportReport, request: Request) -> ImportReport:
        command = CompleteImport(
            report.id, report.entity, report.created, report.updated, report.unchanged, report.refused
        )
        do = Do(IMPORTS, report.id, command, request.metadata)
        with suppress(Conflict):
            async with self.reports.pool.connection() as connection, connection.transaction():
                (outcome,) = await self.streams.execute_all([do], connection)
                if isinstance(outcome, Outcome):
                    positions = [*map(Position.parse, report.positions), outcome.position]
                    report = report.model_copy(update={"positions": last_positions(positions)})
                fingerprint = request.key.fingerprint if request.key else ""
                if await save_report(connection, report, fingerprint, self.streams.clock()):
                    return report
        return await self.reports.find(report.id) or report


def _checked(schema: Schema, raw: RawRow, seen: dict[str, int]) -> Row | Rejected:
    """A row by itself and beside those before it: a record may occur once in a file."""
    if raw.rejected:
        return raw.rejected
    try:
        row = read_row(schema, raw.cells)
    except Rejected as rejected:
        return rejected
    first = seen.setdefault(row.external_id, raw.number)
    if first != raw.number:
        return Rejected("repeated_in_file", attribute=schema.external_id, repeats_row=first)
    return row


def _report(
    schema: Schema, id_: str, raw_rows: Sequence[RawRow], rows: Sequence[RowReport], positions: Sequence[Position]
) -> ImportReport:
    named = {name for raw in raw_rows for name in raw.cells}
    decided = tuple(name for name, attribute in schema.attributes.items() if attribute.decided_by and name in named)
    counted = Counter(row.outcome for row in rows)
    return ImportReport(
        id=id_,
        entity=schema.entity,
        created=counted["created"],
        updated=counted["updated"],
        unchanged=counted["unchanged"],
        refused=counted["refused"],
        only_when_new=decided,
        positions=last_positions(positions),
        rows=tuple(rows),
    )
