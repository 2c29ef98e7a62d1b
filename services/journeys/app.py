"""The only place where journeys is wired together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chassis.auth import Keys
from chassis.http import Limits
from chassis.objects import Objects
from chassis.service import Service
from chassis.settings import Settings
from chassis.streams import Clock, utc_now
from chassis.texts import Texts
from chassis.tickets import Tickets
from chassis.views import ViewReader
from services.journeys.cleanup import Cleanup
from services.journeys.definitions import api as definitions_api
from services.journeys.definitions.views import JOURNEYS, Library
from services.journeys.erasure import ForgetPersons
from services.journeys.files import api as files_api
from services.journeys.files.keeping import Keeper
from services.journeys.files.scanner import Scanner
from services.journeys.known.rules import Rules
from services.journeys.known.views import PORTALS, RECORDS, TASKS
from services.journeys.personal import PersonalViewHandler
from services.journeys.submissions import api as submissions_api
from services.journeys.submissions.access import Access
from services.journeys.submissions.desk import Desk
from services.journeys.submissions.drafts import Drafts
from services.journeys.submissions.secrets import DraftSecrets
from services.journeys.submissions.views import BLANK, SUBMISSIONS

TEXTS = Texts.load(Path(__file__).with_name("texts.yaml"))


@dataclass(frozen=True)
class FilesAreLarger(Limits):
    """What a request may be: only one that brings a file may be large."""

    def bytes_for(self, path: str) -> int:
        return files_api.MAXIMUM_FORM_BYTES if path.endswith("/files") else super().bytes_for(path)


def create(settings: Settings, *, keys: Keys | None = None, clock: Clock = utc_now) -> Service:
    """The service, ready to run. `keys` and `clock` are given by tests."""
    service = Service("journeys", settings, TEXTS, keys=keys, clock=clock, limits=FilesAreLarger())
    pool, streams, keyring = service.pool, service.streams, service.keyring
    objects = Objects(settings.objects_url)
    service.consume(PersonalViewHandler(RECORDS, keyring, {"personal": {}}))
    service.consume(PersonalViewHandler(SUBMISSIONS, keyring, BLANK))
    service.consume(ForgetPersons(streams, keyring))
    rules = Rules(service.view(PORTALS), ViewReader(RECORDS, pool), service.view(TASKS))
    journeys = service.view(JOURNEYS)
    library = Library(journeys, streams)
    drafts = Drafts(pool, keyring)
    access = Access(drafts, clock)
    keeper = Keeper(pool, keyring, objects, Scanner(settings.virus_scanner), clock)
    tickets, secrets = Tickets(settings.master_key_bytes), DraftSecrets(settings.master_key_bytes)
    desk = Desk(pool, streams, drafts, keeper, library, rules, tickets, secrets, TEXTS, service.relay.wake)
    counter = submissions_api.Counter(desk, access, keeper, library, ViewReader(SUBMISSIONS, pool), clock)
    fresh_rules = service.freshness(JOURNEYS, PORTALS, RECORDS, TASKS)
    service.http.include_router(definitions_api.router(streams, journeys, library, service.freshness(JOURNEYS), TEXTS))
    service.http.include_router(submissions_api.router(counter, service.freshness(SUBMISSIONS), fresh_rules))
    service.http.include_router(files_api.router(files_api.Cabinet(keeper, access, library)))
    service.background("cleanup", Cleanup(pool, objects, clock).run)
    return service
