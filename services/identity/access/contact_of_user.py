"""Making a contact of somebody whom nobody knew: what he told at his registration becomes attributes."""

from __future__ import annotations

import secrets

from chassis.errors import Rejected
from contracts.common import Json
from contracts.ids import record_id
from services.identity.access.desk import UserDesk
from services.identity.contacts.views import CONTACT, EMAIL, find_contact
from services.identity.portals.views import Labels
from services.identity.users.decider import CreateContact
from services.identity.users.state import User

NUMBER_PREFIX, NUMBER_DIGITS = "P-", 8
"""Numbers that an ERP gives do not begin so; it can give its own later."""
ATTEMPTS = 5


async def new_contact(
    desk: UserDesk, labels: Labels, user_id: str, customer_number: str | None, values: dict[str, Json]
) -> CreateContact:
    """The command that makes a contact. Raises Rejected for an attribute that contacts do not have."""
    user = await desk.load(user_id)
    known = await labels.get(CONTACT)
    if known is not None:
        for name in values:
            if name not in known.labels:
                raise Rejected("invalid_attribute", attribute=name[:100])
    number = customer_number or await _free_number(desk)
    contact_id = record_id(CONTACT, number)
    if await find_contact(desk.records, contact_id) is not None:
        raise Rejected("contact_exists", customer_number=number)
    told = {name: value for name, value in from_registration(user).items() if known is None or name in known.labels}
    return CreateContact(user_id, contact_id, number, {**told, **values})


def from_registration(user: User) -> dict[str, Json]:
    """What a registration says about a contact; the last word of a name is the last name."""
    first, _, last = (user.name or "").strip().rpartition(" ")
    given: dict[str, Json] = {
        EMAIL: user.email,
        "first_name": first,
        "last_name": last or user.email,
        "language": user.language,
    }
    return {name: value for name, value in given.items() if value}


async def _free_number(desk: UserDesk) -> str:
    for _ in range(ATTEMPTS):
        number = f"{NUMBER_PREFIX}{secrets.randbelow(10**NUMBER_DIGITS):0{NUMBER_DIGITS}d}"
        if await find_contact(desk.records, record_id(CONTACT, number)) is None:
            return number
    raise Rejected("contact_exists", customer_number=number)
