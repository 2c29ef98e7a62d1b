"""Who gets a message, as the mailer needs it: what `recipients` finds out and `messages` sends to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol

from contracts.common import Language

Kind = Literal["contact", "user", "staff", "submission"]
Audience = Literal["customer", "installer"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who is to be written to, and about what. A contact without an id is the holder of the contract.

    `portal_id`: where he sees it; where it is not named or not of the audience, the first portal that is.
    """

    kind: Kind
    id: str | None
    contract_id: str | None
    contract_number: str | None
    portal_id: str | None
    audience: Audience | None = "customer"


@dataclass(frozen=True, slots=True)
class AboutContract:
    """The contract that a message is about."""

    number: str | None
    division: str | None
    product: str | None
    ends_on: date | None


@dataclass(frozen=True, slots=True)
class OfPortal:
    """The portal in whose name a message goes out."""

    id: str
    name: str
    url: str
    brand: str


@dataclass(frozen=True, slots=True)
class Addressee:
    """A living person who can be reached."""

    kind: Kind
    person: str
    contact_id: str | None
    address: str
    language: Language
    salutation: str | None
    first_name: str | None
    last_name: str | None
    contract: AboutContract | None
    portal: OfPortal


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Why nobody can be written to. `for_good`: waiting would not help."""

    reason: str
    for_good: bool
    contact_id: str | None = None
    language: Language = "de"


class Directory(Protocol):
    """Finds addressees."""

    async def find(self, wanted: Wanted) -> Addressee | Unreachable:
        """Everything about who is wanted, or what is missing."""

    async def title_of(self, journey_id: str, language: Language) -> str | None:
        """How a journey is called."""
