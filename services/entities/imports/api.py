"""HTTP in: a file of rows, and the report again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel

from chassis.auth import Principal, allow
from chassis.errors import NotFound, Rejected
from chassis.http import CommandRequest
from services.entities.current import Schemas
from services.entities.imports.report import DatedSummary, ImportReport
from services.entities.imports.run import Importer

MEDIA_TYPES = ("text/csv", "application/json")
CONTENT = {
    "text/csv": {"schema": {"type": "string"}, "example": "customer_number;last_name\nK-1001;Sommer\n"},
    "application/json": {"schema": {"type": "array", "items": {"type": "object"}, "maxItems": 20_000}},
}

Importing = Annotated[Principal, Depends(allow("staff", "operator", "erp"))]


class LatestImports(BaseModel):
    """Imports, the newest first."""

    items: list[DatedSummary]


def router(schemas: Schemas, importer: Importer) -> APIRouter:
    api = APIRouter(tags=["imports"])

    @api.post("/imports/{entity}", openapi_extra={"requestBody": {"required": True, "content": CONTENT}})
    async def import_rows(
        entity: Annotated[str, Path(max_length=40)],
        http: Request,
        request: CommandRequest,
        response: Response,
        _: Importing,
    ) -> ImportReport:
        """Creates and changes records by their external ids, and reports what became of each row.

        CSV (UTF-8 or Windows-1252; `;`, `,` or tab) with a header of attribute names or labels, or a JSON array of
        objects. What has no column stays as it is, an empty cell removes. The same file again changes nothing.
        """
        schema = await schemas.get(entity)
        media_type = http.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type not in MEDIA_TYPES:
            raise Rejected("unsupported_media_type")
        report = await importer.run(schema, await http.body(), media_type, request)
        response.headers["Portico-Position"] = ", ".join(report.positions)
        return report

    @api.get("/imports")
    async def latest(_: Importing, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> LatestImports:
        """The latest imports, without their rows."""
        return LatestImports(items=await importer.reports.latest(limit))

    @api.get("/imports/{id}")
    async def report(id: Annotated[str, Path(max_length=40)], _: Importing) -> ImportReport:  # noqa: A002
        """The report of one of the latest 1,000 imports."""
        found = await importer.reports.find(id)
        if found is None:
            raise NotFound("import_not_found")
        return found

    return api
