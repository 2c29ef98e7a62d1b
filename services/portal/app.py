"""Where the portal service is wired together."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from chassis.auth import Keys
from chassis.service import Service
from chassis.settings import Settings
from chassis.streams import Clock, utc_now
from chassis.texts import ZONE, Texts
from chassis.tickets import Tickets
from services.portal.cancellations.views import CANCELLATIONS
from services.portal.configuration import api as configuration_api
from services.portal.configuration.views import PORTALS
from services.portal.definitions.views import DEFINITIONS
from services.portal.notices import api as notices_api
from services.portal.notices.views import NOTICES
from services.portal.overview import api as overview_api
from services.portal.pages import api as pages_api
from services.portal.pages.contract_page import SHOWN_BILLING_EVENTS, ContractPages
from services.portal.pages.me import MePages
from services.portal.pages.queries import FirstBillingEvents, OpenSums
from services.portal.pages.views import BILLING_EVENTS, CONTACTS, CONTRACTS, INSTALMENTS
from services.portal.processes import api as processes_api
from services.portal.processes.queries import ProcessesOfRecords
from services.portal.processes.views import PROCESSES
from services.portal.requests import api as requests_api
from services.portal.requests.queries import FilesOfRecords
from services.portal.requests.views import REQUESTS
from services.portal.tickets import api as tickets_api
from services.portal.users.views import USERS

TEXTS = Texts.load(Path(__file__).with_name("texts.yaml"))


def create(settings: Settings, *, keys: Keys | None = None, clock: Clock = utc_now) -> Service:
    service = Service("portal", settings, TEXTS, keys=keys, clock=clock)
    pool, streams, fresh = service.pool, service.streams, service.freshness

    def today() -> date:
        return streams.clock().astimezone(ZONE).date()

    portals, definitions = service.view(PORTALS), service.view(DEFINITIONS)
    contracts, contacts = service.view(CONTRACTS), service.view(CONTACTS)
    billing_events, requests, notices = service.view(BILLING_EVENTS), service.view(REQUESTS), service.view(NOTICES)
    service.view(PROCESSES)
    contract_pages = ContractPages(
        portals=portals,
        definitions=definitions,
        contracts=contracts,
        contacts=contacts,
        instalments=service.view(INSTALMENTS),
        cancellations=service.view(CANCELLATIONS),
        billing_events=billing_events,
        first_billing_events=FirstBillingEvents(billing_events, today, SHOWN_BILLING_EVENTS),
        open_sums=OpenSums(billing_events, today),
        processes=ProcessesOfRecords(pool),
        files=FilesOfRecords(pool),
        clock=streams.clock,
        today=today,
        texts=TEXTS,
    )
    me = MePages(pool, portals, definitions, contacts, service.view(USERS), streams.clock)
    pages = pages_api.Pages(me, contract_pages)
    desk = tickets_api.Desk(
        pool, portals, definitions, contracts, contacts, Tickets(settings.master_key_bytes), streams.clock, TEXTS
    )
    service.http.include_router(configuration_api.router(streams, portals, definitions, TEXTS, fresh))
    service.http.include_router(pages_api.router(pages, fresh))
    service.http.include_router(processes_api.router(pool, portals, today, fresh))
    service.http.include_router(requests_api.router(pool, portals, requests, definitions, texts=TEXTS, fresh=fresh))
    service.http.include_router(notices_api.router(pool, portals, streams, notices, fresh))
    service.http.include_router(tickets_api.router(desk, fresh))
    service.http.include_router(overview_api.router(pool, fresh))
    return service
