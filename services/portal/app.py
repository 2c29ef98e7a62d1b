"""Where the portal service is wired together."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from chassis.auth import Keys
from chassis.service import Service
from chassis.settings import Settings
from chassis.streams import Clock, utc_now
from chassis.texts import ZONE, Texts
from services.portal.configuration import api as configuration_api
from services.portal.configuration.views import PORTALS
from services.portal.pages import api as pages_api
from services.portal.pages.views import BILLING_EVENTS, CONTACTS, CONTRACTS, INSTALMENTS

TEXTS = Texts.load(Path(__file__).with_name("texts.yaml"))


def create(settings: Settings, *, keys: Keys | None = None, clock: Clock = utc_now) -> Service:
    service = Service("portal", settings, TEXTS, keys=keys, clock=clock)

    def today() -> date:
        return service.streams.clock().astimezone(ZONE).date()

    portals = service.view(PORTALS)
    pages = pages_api.Pages(
        contracts=service.view(CONTRACTS),
        contacts=service.view(CONTACTS),
        instalments=service.view(INSTALMENTS),
        billing_events=service.view(BILLING_EVENTS),
        today=today,
    )
    service.http.include_router(configuration_api.router(service.streams, portals, service.freshness))
    service.http.include_router(pages_api.router(pages, service.freshness))
    return service
