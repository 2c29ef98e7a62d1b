"""What the rules of billing need to know from elsewhere: contracts and their holders, the portals' limits."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from chassis.views import View, ViewReader
from contracts.common import Json
from contracts.entities import EntityChanged, EntityCreated, EntityDeleted, EntityRelated
from contracts.envelope import Envelope
from contracts.portal import InstalmentSettings, PortalConfigured
from services.billing.contracts.state import CONTRACT, SupplyContract

HOLDER = "holder"
DIVISION = "division"


def _contract_id(envelope: Envelope) -> str | None:
    match envelope.event:
        case EntityCreated() | EntityChanged() | EntityRelated() | EntityDeleted() as event if event.entity == CONTRACT:
            return event.id
    return None


def _evolve_contract(contract: SupplyContract | None, envelope: Envelope) -> SupplyContract | None:
    match envelope.event:
        case EntityCreated() as event:
            return SupplyContract(
                id=event.id,
                number=event.external_id or "",
                contact_id=_first(event.relations.get(HOLDER, ())),
                division=_text(event.attributes.get(DIVISION)),
            )
        case EntityChanged() as event if contract:
            changed = {"number": event.external_id or contract.number}
            if DIVISION in event.attributes:
                return contract.model_copy(update={**changed, "division": _text(event.attributes[DIVISION])})
            return contract.model_copy(update=changed)
        case EntityRelated(relation="holder") as event if contract:
            return contract.model_copy(update={"contact_id": _first(event.to)})
        case EntityDeleted():
            return None
    return contract


def _first(ids: tuple[str, ...]) -> str | None:
    return ids[0] if ids else None


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


CONTRACTS = View(
    name="contracts",
    version=1,
    document=SupplyContract,
    events=(EntityCreated, EntityChanged, EntityRelated, EntityDeleted),
    key=_contract_id,
    evolve=_evolve_contract,
)


class PortalLimits(BaseModel):
    """What a portal lets its users change."""

    model_config = ConfigDict(frozen=True)

    portal_id: str
    audience: str
    instalments: InstalmentSettings


def _portal_id(envelope: Envelope) -> str | None:
    return envelope.event.portal_id if isinstance(envelope.event, PortalConfigured) else None


def _evolve_portal(limits: PortalLimits | None, envelope: Envelope) -> PortalLimits | None:
    event = envelope.event
    if not isinstance(event, PortalConfigured):
        return limits
    return PortalLimits(portal_id=event.portal_id, audience=event.audience, instalments=event.instalments)


PORTALS = View(
    name="portals",
    version=1,
    document=PortalLimits,
    events=(PortalConfigured,),
    key=_portal_id,
    evolve=_evolve_portal,
)


async def settings_of(portals: ViewReader[PortalLimits], portal_id: str | None) -> InstalmentSettings:
    """The instalment rules of a portal; staff, who come from no portal, get a customer portal's."""
    found = await portals.get(portal_id) if portal_id else None
    if found is None:
        found = next(iter(await portals.find("doc->>'audience' = 'customer'", [], limit=1)), None)
    return found.instalments if found else InstalmentSettings()
