"""Who gets a message, as the mailer needs it: what `recipients` finds out and `messages` sends to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from contracts.common import Language


@dataclass(frozen=True, slots=True)
class Addressee:
    """A living person who can be reached, the contract that it is about, and the portal where he sees it."""

    contact_id: str
    person: str
    address: str
    language: Language
    salutation: str | None
    first_name: str | None
    last_name: str | None
    contract_number: str
    division: str | None
    product: str | None
    portal_name: str
    link: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Why nobody can be written to. `for_good`: waiting would not help."""

    reason: str
    for_good: bool
    contact_id: str | None = None
    language: Language = "de"


class Directory(Protocol):
    """Finds addressees."""

    async def find(
        self, contact_id: str | None, contract_id: str, contract_number: str, portal_id: str | None
    ) -> Addressee | Unreachable:
        """The holder of the contract where no contact is named; the only customer portal where no portal is."""
