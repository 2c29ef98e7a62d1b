"""The only place where entities is wired together."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from chassis.auth import Keys
from chassis.http import Limits
from chassis.service import Service
from chassis.settings import Settings
from chassis.streams import Clock, utc_now
from chassis.texts import Texts
from chassis.views import ViewReader
from services.entities.imports import api as imports_api
from services.entities.imports.reading import MAXIMUM_BYTES
from services.entities.imports.run import Importer
from services.entities.imports.views import Reports
from services.entities.records import api as records_api
from services.entities.records.reactions import RecordsHandler
from services.entities.records.views import RECORDS
from services.entities.records.writer import write_rows
from services.entities.schema import load_schemas

FOLDER = Path(__file__).parent
TEXTS = Texts.load(FOLDER / "texts.yaml")
SCHEMAS = load_schemas(FOLDER / "schemas")


def create(settings: Settings, *, keys: Keys | None = None, clock: Clock = utc_now) -> Service:
    """The service, ready to run. `keys` and `clock` are given by tests."""
    limits = Limits(larger={"/imports": MAXIMUM_BYTES})
    service = Service("entities", settings, TEXTS, keys=keys, clock=clock, limits=limits)
    service.consume(RecordsHandler(service.keyring))
    reader = ViewReader(RECORDS, service.pool)
    importer = Importer(
        service.streams, Reports(service.pool), partial(write_rows, service.pool, service.streams), TEXTS
    )
    service.http.include_router(records_api.router(SCHEMAS, service.streams, reader, service.freshness(RECORDS)))
    service.http.include_router(imports_api.router(SCHEMAS, importer))
    return service
