"""Finds the addressee of a message at the moment of sending: contact, contract and portal joined."""

from __future__ import annotations

from urllib.parse import quote

from chassis.views import ViewReader
from contracts.common import Language
from contracts.ids import stream
from services.notifications.addressee import Addressee, Unreachable
from services.notifications.recipients.views import CONTACT, ContractDoc, PortalDoc, RecipientDoc

DEFAULT_LANGUAGE: Language = "de"


class ViewDirectory:
    """The directory on the views of this service."""

    def __init__(
        self,
        recipients: ViewReader[RecipientDoc],
        contracts: ViewReader[ContractDoc],
        portals: ViewReader[PortalDoc],
    ) -> None:
        self._recipients = recipients
        self._contracts = contracts
        self._portals = portals

    async def find(
        self, contact_id: str | None, contract_id: str, contract_number: str, portal_id: str | None
    ) -> Addressee | Unreachable:
        contract = await self._contracts.get(contract_id) or ContractDoc(id=contract_id)
        contact_id = contact_id or contract.holder_id
        recipient = await self._recipients.get(contact_id) if contact_id else None
        portal = await self._portal(portal_id)
        return addressee(contact_id, recipient, contract, contract_number, portal)

    async def _portal(self, portal_id: str | None) -> PortalDoc | None:
        """The portal itself; where it is not named or not a customer's, the first customer portal by id."""
        named = await self._portals.get(portal_id) if portal_id else None
        if named is not None and named.audience == "customer":
            return named
        found = await self._portals.find("doc->>'audience' = 'customer'", [], limit=1)
        return found[0] if found else None


def addressee(
    contact_id: str | None,
    recipient: RecipientDoc | None,
    contract: ContractDoc,
    contract_number: str,
    portal: PortalDoc | None,
) -> Addressee | Unreachable:
    """Everything about an addressee, or what is missing."""
    if contact_id is None or recipient is None:
        return Unreachable("recipient_unknown", for_good=False, contact_id=contact_id)
    language = recipient.language or DEFAULT_LANGUAGE
    if recipient.erased:
        return Unreachable("person_erased", for_good=True, contact_id=contact_id, language=language)
    if not recipient.email:
        return Unreachable("no_address", for_good=False, contact_id=contact_id, language=language)
    if portal is None:
        return Unreachable("portal_unknown", for_good=False, contact_id=contact_id, language=language)
    return Addressee(
        contact_id=contact_id,
        person=recipient.person or stream(CONTACT, contact_id),
        address=recipient.email,
        language=language,
        salutation=recipient.salutation,
        first_name=recipient.first_name,
        last_name=recipient.last_name,
        contract_number=contract.number or contract_number,
        division=contract.division,
        product=contract.product,
        portal_name=getattr(portal.name, language),
        link=f"{portal.url.rstrip('/')}/contracts/{quote(contract.id, safe='')}",
    )
