"""The only place where processes is wired together."""

from __future__ import annotations

from pathlib import Path

from chassis.auth import Keys
from chassis.service import Service
from chassis.settings import Settings
from chassis.streams import Clock, utc_now
from chassis.texts import Texts
from chassis.views import ViewReader
from services.processes.definitions import api as definitions_api
from services.processes.definitions.decider import DEFINITION
from services.processes.definitions.state import Definition
from services.processes.definitions.views import DEFINITIONS
from services.processes.document import ProcessDocument
from services.processes.instances import api as instances_api
from services.processes.instances import tasks_api
from services.processes.instances.board import Board
from services.processes.instances.decider import Blueprint
from services.processes.instances.reactions import ProcessHandler
from services.processes.instances.timers import OVERDUE
from services.processes.instances.views import INSTANCES
from services.processes.known.situations import Situations
from services.processes.known.views import RECORDS, SUBMISSIONS, PersonalViewHandler

TEXTS = Texts.load(Path(__file__).with_name("texts.yaml"))


def create(settings: Settings, *, keys: Keys | None = None, clock: Clock = utc_now) -> Service:
    """The service, ready to run. `keys` and `clock` are given by tests."""
    service = Service("processes", settings, TEXTS, keys=keys, clock=clock)
    service.consume(PersonalViewHandler(RECORDS, service.keyring))
    service.consume(PersonalViewHandler(SUBMISSIONS, service.keyring))
    situations = Situations(ViewReader(RECORDS, service.pool), ViewReader(SUBMISSIONS, service.pool), clock)

    async def blueprint(process_id: str) -> Blueprint | None:
        state = (await service.streams.load(DEFINITION, process_id)).state
        return _blueprint(state) if isinstance(state, Definition) else None

    def views_caught_up() -> bool:
        decided_on = {RECORDS.consumer, SUBMISSIONS.consumer}
        return all(consumer.ready for consumer in service.consumers if consumer.source.name in decided_on)

    board = Board(service.streams, situations, blueprint, service.view(INSTANCES))
    service.consume(ProcessHandler(service.streams, situations, blueprint, views_caught_up))
    service.timer(OVERDUE)
    definitions = service.view(DEFINITIONS)
    shown, records_known = service.freshness(INSTANCES), service.freshness(RECORDS)
    service.http.include_router(
        definitions_api.router(service.streams, definitions, service.freshness(DEFINITIONS), TEXTS)
    )
    service.http.include_router(instances_api.router(board, shown, records_known))
    service.http.include_router(tasks_api.router(board, shown, records_known))
    return service


def _blueprint(definition: Definition) -> Blueprint:
    document = ProcessDocument.model_validate(definition.document)
    return Blueprint(
        process_id=document.process,
        version=definition.version,
        title=document.text,
        on=document.on,
        steps=document.plans(),
        responsible=document.responsible.group if document.responsible else None,
    )
