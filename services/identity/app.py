"""The only place where identity is wired together."""

from __future__ import annotations

from pathlib import Path

from chassis.auth import TokenVerifier, trust
from chassis.service import Service
from chassis.service_calls import ServiceCalls
from chassis.settings import Settings
from chassis.streams import Clock, utc_now
from chassis.texts import Texts
from chassis.views import ViewReader
from services.identity.access import gateway_api, impersonations_api, links_api, staff_api, users_api
from services.identity.access.accounts import Accounts
from services.identity.access.contact_of_user import ContactAnswers
from services.identity.access.credentials import Credentials
from services.identity.access.desk import UserDesk
from services.identity.access.erasures import FollowErasures
from services.identity.access.links import Links
from services.identity.access.matcher import Matcher
from services.identity.access.passwords import Passwords
from services.identity.access.sessions import Sessions
from services.identity.access.staff_desk import StaffDesk
from services.identity.access.sweeper import Sweeper
from services.identity.access.table import UserTable
from services.identity.access.wishes import Wishes
from services.identity.contacts.reactions import KnownRecordsHandler
from services.identity.contacts.views import KNOWN_RECORDS
from services.identity.machines import api as machines_api
from services.identity.machines.vault import MachineVault
from services.identity.persons import api as persons_api
from services.identity.persons.reactions import DestroyKeys
from services.identity.portals.views import LABELS, PORTALS
from services.identity.reveals import api as reveals_api
from services.identity.signing_keys import api as signing_keys_api
from services.identity.signing_keys.vault import SigningVault
from services.identity.staff.views import STAFF
from services.identity.together import Together
from services.identity.tokens import Tokens, development_router
from services.identity.users.impersonations import IMPERSONATIONS
from services.identity.users.views import USER_ROWS

TEXTS = Texts.load(Path(__file__).with_name("texts.yaml"))


def create(settings: Settings, *, clock: Clock = utc_now) -> Service:
    """The service, ready to run. `clock` is given by tests."""
    service = Service("identity", settings, TEXTS, clock=clock)
    signing = SigningVault(service.pool, service.streams, settings.master_key_bytes)
    machines = MachineVault(service.pool, service.streams)
    tokens = Tokens(signing.signer, settings.token_issuer)
    trust(service.http, TokenVerifier(signing, settings.token_issuer))
    service.consume(DestroyKeys(service.keyring))
    service.background("signing keys", signing.run)
    service.http.include_router(signing_keys_api.router(signing))
    service.http.include_router(machines_api.machines_router(machines))
    service.http.include_router(machines_api.token_router(machines, tokens))
    service.http.include_router(development_router(tokens, settings.development))
    service.http.include_router(reveals_api.router(service.streams, service.sealer))
    service.http.include_router(persons_api.router(service.streams, service.keyring))
    _let_in(service, tokens)
    return service


def _let_in(service: Service, tokens: Tokens) -> None:
    """Portal users and staff."""
    pool, clock = service.pool, service.streams.clock
    service.consume(KnownRecordsHandler(service.keyring, clock))
    records = ViewReader(KNOWN_RECORDS, pool)
    contacts = service.consumers[-1]
    portals, labels = service.view(PORTALS), service.view(LABELS)
    rows, members, acted = service.view(USER_ROWS), service.view(STAFF), service.view(IMPERSONATIONS)
    service.consume(FollowErasures(service.streams))
    service.consume(ContactAnswers(service.streams))
    together, passwords = Together(pool, service.streams), Passwords()
    credentials, sessions, links = Credentials(pool, passwords), Sessions(pool), Links(pool)
    desk = UserDesk(pool, together, portals, records)
    accounts = Accounts(desk, credentials, passwords, sessions, links)
    staff = StaffDesk(together, credentials, passwords, sessions, links)
    matcher = Matcher(pool, together, records, portals, lambda: contacts.ready)
    wishes = Wishes(pool, together, matcher.wake)
    service.background("wishes", wishes.run)
    service.background("matcher", matcher.run)
    service.background("sweeper", Sweeper(pool, clock).run)
    fresh = service.freshness(USER_ROWS, KNOWN_RECORDS)
    calls = ServiceCalls(service.settings.master_key_bytes)
    for router in (
        gateway_api.wishes_router(wishes, passwords, portals),
        gateway_api.accounts_router(accounts, staff, links, labels),
        gateway_api.sessions_router(accounts, staff, sessions, tokens, labels),
        users_api.table_router(UserTable(rows, records), desk, TEXTS, fresh),
        users_api.assignments_router(desk, labels),
        users_api.access_router(desk),
        impersonations_api.router(desk, tokens, acted, members, service.freshness(IMPERSONATIONS)),
        staff_api.router(staff, members, service.freshness(STAFF)),
        links_api.router(desk, links, calls),
    ):
        service.http.include_router(router)
