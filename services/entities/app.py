"""The only place where entities is wired together."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from chassis.auth import Keys, Principal
from chassis.http import Limits
from chassis.service import Service
from chassis.settings import Settings
from chassis.streams import Clock, utc_now
from chassis.texts import Texts
from chassis.views import ViewReader
from services.entities.access import Access
from services.entities.current import Schemas
from services.entities.definitions import api as definitions_api
from services.entities.definitions.decider import SCHEMA, PublishPackaged
from services.entities.definitions.views import ENTITIES
from services.entities.imports import api as imports_api
from services.entities.imports.reading import MAXIMUM_BYTES
from services.entities.imports.run import Importer
from services.entities.imports.views import Reports
from services.entities.portals.views import PORTALS
from services.entities.records import api as records_api
from services.entities.records.reactions import RecordReactions, RecordsHandler
from services.entities.records.views import RECORDS, is_in_use
from services.entities.records.writer import write_rows
from services.entities.schema import Schema, load_schemas

FOLDER = Path(__file__).parent
TEXTS = Texts.load(FOLDER / "texts.yaml")
PACKAGED = load_schemas(FOLDER / "schemas", TEXTS)
SCHEMAS = {entity: definition.schema for entity, definition in PACKAGED.items()}
IMPORT_SECONDS = 600


def create(settings: Settings, *, keys: Keys | None = None, clock: Clock = utc_now) -> Service:
    """The service, ready to run. `keys` and `clock` are given by tests."""
    limits = Limits(larger={"/imports": MAXIMUM_BYTES}, slower={"/imports": IMPORT_SECONDS})
    service = Service("entities", settings, TEXTS, keys=keys, clock=clock, limits=limits)
    service.consume(RecordsHandler(service.keyring))
    records = ViewReader(RECORDS, service.pool)
    entities, portals = service.view(ENTITIES), service.view(PORTALS)
    schemas = Schemas(service.log, PACKAGED)
    service.consume(RecordReactions(service.streams, schemas, records))
    importer = Importer(
        service.streams, Reports(service.pool), partial(write_rows, service.pool, service.streams), TEXTS
    )

    async def publish_packaged() -> None:
        for entity, packaged in PACKAGED.items():
            await service.streams.execute(SCHEMA, entity, PublishPackaged(packaged.schema, packaged.document))

    service.background("packaged schemas", publish_packaged, once=True)

    async def access_of(principal: Principal, schema: Schema) -> Access | None:
        owner = records_api.owner_of(principal)
        if owner is None:
            return None
        portal = await portals.get(principal.portal_id) if principal.portal_id else None
        return Access.of(owner, schema, portal.permissions.get(schema.entity) if portal and portal.enabled else None)

    service.http.include_router(
        definitions_api.router(
            schemas,
            service.streams,
            entities,
            in_use=partial(is_in_use, records),
            texts=TEXTS,
            fresh=service.freshness(ENTITIES),
        )
    )
    service.http.include_router(
        records_api.router(
            schemas, service.streams, records, access_of=access_of, fresh=service.freshness(RECORDS, PORTALS)
        )
    )
    service.http.include_router(imports_api.router(schemas, importer))
    return service
