"""Finds the addressee of a message at the moment of sending: person, contract and portal joined."""

from __future__ import annotations

from chassis.views import ViewReader
from contracts.common import Language
from contracts.ids import stream
from services.notifications.addressee import AboutContract, Addressee, OfPortal, Unreachable, Wanted
from services.notifications.recipients.people import JourneyDoc, PersonDoc, StaffDoc, SubmitterDoc, UserDoc
from services.notifications.recipients.views import CONTACT, ContractDoc, PortalDoc, RecipientDoc

DEFAULT_LANGUAGE: Language = "de"
DEFAULT_AUDIENCE = "customer"


class ViewDirectory:
    """The directory on the views of this service."""

    def __init__(
        self,
        *,
        recipients: ViewReader[RecipientDoc],
        contracts: ViewReader[ContractDoc],
        portals: ViewReader[PortalDoc],
        users: ViewReader[UserDoc],
        staff: ViewReader[StaffDoc],
        submitters: ViewReader[SubmitterDoc],
        journeys: ViewReader[JourneyDoc],
    ) -> None:
        self._recipients = recipients
        self._contracts = contracts
        self._portals = portals
        self._people: dict[str, ViewReader[UserDoc] | ViewReader[StaffDoc] | ViewReader[SubmitterDoc]] = {
            "user": users,
            "staff": staff,
            "submission": submitters,
        }
        self._journeys = journeys

    async def find(self, wanted: Wanted) -> Addressee | Unreachable:
        contract = await self._contract(wanted)
        portal = await self._portal(wanted)
        if wanted.kind == "contact":
            contact_id = wanted.id or (contract.holder_id if contract else None)
            recipient = await self._recipients.get(contact_id) if contact_id else None
            return of_contact(contact_id, recipient, contract, portal)
        person = await self._people[wanted.kind].get(wanted.id) if wanted.id else None
        contact = None
        if isinstance(person, UserDoc) and person.contact_id:
            contact = await self._recipients.get(person.contact_id)
        return of_person(wanted, person, contact, contract, portal)

    async def title_of(self, journey_id: str, language: Language) -> str | None:
        doc = await self._journeys.get(journey_id)
        return getattr(doc.title, language) if doc else None

    async def _contract(self, wanted: Wanted) -> ContractDoc | None:
        if wanted.contract_id is None:
            return None
        doc = await self._contracts.get(wanted.contract_id) or ContractDoc(id=wanted.contract_id)
        return doc if doc.number else doc.model_copy(update={"number": wanted.contract_number})

    async def _portal(self, wanted: Wanted) -> PortalDoc | None:
        """The portal itself; where it is not named or not of the reader's audience, the first one of it by id.

        A user is a user of his portal and of no other.
        """
        named = await self._portals.get(wanted.portal_id) if wanted.portal_id else None
        if named is not None and wanted.audience in {None, named.audience}:
            return named
        if wanted.kind == "user":
            return None
        found = await self._portals.find("doc->>'audience' = %s", [wanted.audience or DEFAULT_AUDIENCE], limit=1)
        return found[0] if found else None


def of_contact(
    contact_id: str | None, recipient: RecipientDoc | None, contract: ContractDoc | None, portal: PortalDoc | None
) -> Addressee | Unreachable:
    """Everything about a contact, or what is missing."""
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
        kind="contact",
        person=recipient.person or stream(CONTACT, contact_id),
        contact_id=contact_id,
        address=recipient.email,
        language=language,
        salutation=recipient.salutation,
        first_name=recipient.first_name,
        last_name=recipient.last_name,
        contract=_about(contract),
        portal=_of_portal(portal, language),
    )


def of_person(
    wanted: Wanted,
    person: PersonDoc | None,
    contact: RecipientDoc | None,
    contract: ContractDoc | None,
    portal: PortalDoc | None,
) -> Addressee | Unreachable:
    """Everything about a portal user, a member of staff or a submitter, or what is missing.

    A user who is a contact is greeted as the contact is. A submitter without an address will never have one.
    """
    if person is None:
        return Unreachable("recipient_unknown", for_good=False)
    contact_id = contact.id if contact else None
    if person.erased:
        return Unreachable("person_erased", for_good=True, contact_id=contact_id, language=person.language)
    if not person.email:
        for_good = wanted.kind == "submission"
        return Unreachable("no_address", for_good=for_good, contact_id=contact_id, language=person.language)
    if portal is None:
        return Unreachable("portal_unknown", for_good=False, contact_id=contact_id, language=person.language)
    return Addressee(
        kind=wanted.kind,
        person=person.person,
        contact_id=contact_id,
        address=person.email,
        language=person.language,
        salutation=contact.salutation if contact else None,
        first_name=contact.first_name if contact else getattr(person, "name", None),
        last_name=contact.last_name if contact else None,
        contract=_about(contract),
        portal=_of_portal(portal, person.language),
    )


def _about(contract: ContractDoc | None) -> AboutContract | None:
    if contract is None:
        return None
    return AboutContract(contract.number, contract.division, contract.product, contract.ends_on)


def _of_portal(portal: PortalDoc, language: Language) -> OfPortal:
    return OfPortal(id=portal.id, name=getattr(portal.name, language), url=portal.url, brand=portal.brand)
