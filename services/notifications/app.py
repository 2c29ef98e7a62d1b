"""The only place where notifications is wired together."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import httpx

from chassis.auth import Keys
from chassis.service import Service
from chassis.service_calls import ServiceCalls
from chassis.settings import Settings
from chassis.streams import Clock, utc_now
from chassis.texts import Texts
from services.notifications.links import IdentityLinks
from services.notifications.messages import api
from services.notifications.messages.mailer import Mailer
from services.notifications.messages.reactions import MessageHandler
from services.notifications.messages.smtp import Server
from services.notifications.notices import api as notices_api
from services.notifications.notices import reactions as notices
from services.notifications.notices.views import NOTICES
from services.notifications.recipients.directory import ViewDirectory
from services.notifications.recipients.people import COLLEAGUES, JOURNEYS, SUBMITTERS, USERS, of_group
from services.notifications.recipients.views import CONTRACTS, PORTALS, RECIPIENTS
from services.notifications.wordings import api as wordings_api
from services.notifications.wordings.views import WORDINGS, OwnWordings

TEXTS = Texts.load(Path(__file__).with_name("texts.yaml"))


def create(
    settings: Settings,
    *,
    keys: Keys | None = None,
    clock: Clock = utc_now,
    identity: httpx.AsyncBaseTransport | None = None,
) -> Service:
    """The service, ready to run. `keys`, `clock` and `identity` are given by tests."""
    service = Service("notifications", settings, TEXTS, keys=keys, clock=clock)
    contracts, portals, colleagues = service.view(CONTRACTS), service.view(PORTALS), service.view(COLLEAGUES)
    directory = ViewDirectory(
        recipients=service.view(RECIPIENTS),
        contracts=contracts,
        portals=portals,
        users=service.view(USERS),
        staff=colleagues,
        submitters=service.view(SUBMITTERS),
        journeys=service.view(JOURNEYS),
    )

    async def staff_of(group: str) -> list[str]:
        return [member.id for member in await of_group(colleagues, group)]

    async def end_of(contract_id: str) -> date | None:
        contract = await contracts.get(contract_id)
        return contract.ends_on if contract else None

    service.consume(MessageHandler(staff_of, end_of))
    service.react(notices.reaction(TEXTS))
    wordings = OwnWordings(service.view(WORDINGS))
    links = IdentityLinks(settings.identity_url, ServiceCalls(settings.master_key_bytes), identity)
    server = Server.parse(settings.smtp_url.get_secret_value())
    mailer = Mailer(
        service.pool,
        service.streams,
        directory=directory,
        wordings=wordings,
        links=links,
        server=server,
        mail_from=settings.mail_from,
        recorded=service.relay.wake,
    )
    service.background("mailer", mailer.run)
    service.http.include_router(api.router(service.pool, service.streams, TEXTS))
    shown = service.freshness(WORDINGS)
    service.http.include_router(wordings_api.router(service.streams, wordings, portals, TEXTS, shown))
    service.http.include_router(notices_api.router(service.view(NOTICES), service.freshness(NOTICES)))
    return service
