"""The only place where notifications is wired together."""

from __future__ import annotations

from pathlib import Path

from chassis.auth import Keys
from chassis.service import Service
from chassis.settings import Settings
from chassis.streams import Clock, utc_now
from chassis.texts import Texts
from services.notifications.messages import api
from services.notifications.messages.mailer import Mailer
from services.notifications.messages.reactions import MessageHandler
from services.notifications.messages.smtp import Server
from services.notifications.recipients.directory import ViewDirectory
from services.notifications.recipients.views import CONTRACTS, PORTALS, RECIPIENTS

TEXTS = Texts.load(Path(__file__).with_name("texts.yaml"))


def create(settings: Settings, *, keys: Keys | None = None, clock: Clock = utc_now) -> Service:
    service = Service("notifications", settings, TEXTS, keys=keys, clock=clock)
    directory = ViewDirectory(service.view(RECIPIENTS), service.view(CONTRACTS), service.view(PORTALS))
    service.consume(MessageHandler())
    server = Server.parse(settings.smtp_url.get_secret_value())
    mailer = Mailer(service.pool, service.streams, directory, server, settings.mail_from, recorded=service.relay.wake)
    service.background("mailer", mailer.run)
    service.http.include_router(api.router(service.pool, service.streams, TEXTS))
    return service
