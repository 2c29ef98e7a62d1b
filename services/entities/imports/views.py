"""The reports of the latest imports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis.database import Pool
from chassis.errors import Rejected
from chassis.log import CommandKey, Connection
from services.entities.imports.report import DatedSummary, ImportReport

KEPT_REPORTS = 1_000


@dataclass(frozen=True)
class Reports:
    """Stored reports by the import's id."""

    pool: Pool

    async def find(self, id_: str) -> ImportReport | None:
        """The report of an import, unless `KEPT_REPORTS` others came after it."""
        found = await self._row(id_)
        return found[1] if found else None

    async def find_repeated(self, id_: str, key: CommandKey) -> ImportReport | None:
        """The report of the import that came with this key; raises Rejected when that was another file."""
        found = await self._row(id_)
        if found is None:
            return None
        if found[0] != key.fingerprint:
            raise Rejected("idempotency_key_reused")
        return found[1]

    async def latest(self, limit: int) -> list[DatedSummary]:
        """The imports that were completed last, the newest first."""
        async with self.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT (report - 'rows' || jsonb_build_object('completed_at', completed_at))::text FROM imports "
                "ORDER BY completed_at DESC, id LIMIT %s",
                (limit,),
            )
            return [DatedSummary.model_validate_json(summary) for (summary,) in await cursor.fetchall()]

    async def _row(self, id_: str) -> tuple[str, ImportReport] | None:
        async with self.pool.connection() as connection:
            cursor = await connection.execute("SELECT fingerprint, report::text FROM imports WHERE id = %s", (id_,))
            row = await cursor.fetchone()
        return (row[0], ImportReport.model_validate_json(row[1])) if row else None


async def save_report(connection: Connection, report: ImportReport, fingerprint: str, now: datetime) -> bool:
    """Keeps a report, and forgets the oldest ones; False when there is one with this id already."""
    cursor = await connection.execute(
        "INSERT INTO imports (id, fingerprint, completed_at, report) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (report.id, fingerprint, now, report.model_dump_json()),
    )
    await connection.execute(
        "DELETE FROM imports WHERE completed_at < "
        "(SELECT completed_at FROM imports ORDER BY completed_at DESC OFFSET %s LIMIT 1)",
        (KEPT_REPORTS - 1,),
    )
    return bool(cursor.rowcount)
