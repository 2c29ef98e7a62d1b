"""The billing service: everything is wired here and nowhere else."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from chassis.auth import Keys
from chassis.service import Service
from chassis.settings import Settings
from chassis.streams import Clock, utc_now
from chassis.texts import Texts
from contracts.erp import BillingEvent, InstalmentDecision, InstalmentPlan
from contracts.portal import InstalmentSettings
from services.billing.billing_events.reactions import record
from services.billing.billing_events.views import OWED, is_overdue
from services.billing.cancellations import api as cancellations_api
from services.billing.cancellations.reactions import CONFIRMATION, LAST_DAY, SubmissionsHandler
from services.billing.cancellations.views import CONTRACT_TERMS
from services.billing.contracts.views import CONTRACTS, PORTALS, settings_of
from services.billing.erp import api as erp_api
from services.billing.erp import rejects
from services.billing.erp.inbox import Commands, ErpInbox
from services.billing.instalments import api as instalments_api
from services.billing.instalments.reactions import decide, set_plan

TEXTS = Texts.load(Path(__file__).with_name("texts.yaml"))


def create(settings: Settings, *, keys: Keys | None = None, clock: Clock = utc_now) -> Service:
    """The service, ready to run. `keys` and `clock` are given by tests."""
    service = Service("billing", settings, TEXTS, keys=keys, clock=clock)
    contracts = service.view(CONTRACTS)
    terms = service.view(CONTRACT_TERMS)
    terms_read = service.consumers[-1]
    portals = service.view(PORTALS)
    owed = service.view(OWED)
    topics = service.publish()

    async def find_rules(portal_id: str | None) -> InstalmentSettings:
        return await settings_of(portals, portal_id)

    async def overdue(contract_id: str, today: date) -> bool:
        return await is_overdue(owed, contract_id, today)

    async def publish_rejects() -> None:
        await rejects.publish(service.pool, topics, TEXTS)

    commands: Commands = {
        InstalmentPlan: set_plan,
        InstalmentDecision: decide,
        BillingEvent: record,
    }
    service.consume_foreign("erp.in", ErpInbox(service.streams, contracts, commands))
    service.background("erp.rejects", publish_rejects)
    service.consume(SubmissionsHandler(service.streams, terms, lambda: terms_read.ready))
    service.react(CONFIRMATION)
    service.timer(LAST_DAY)
    fresh = service.freshness(CONTRACTS, PORTALS, OWED)
    service.http.include_router(
        instalments_api.router(
            service.streams, contracts, rules=find_rules, is_overdue=overdue, texts=TEXTS, fresh=fresh
        )
    )
    service.http.include_router(
        cancellations_api.router(service.streams, terms, texts=TEXTS, fresh=service.freshness(CONTRACT_TERMS))
    )
    service.http.include_router(erp_api.router(topics, service.pool, TEXTS))
    return service
