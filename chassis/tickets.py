"""Launch tickets: short-lived signed statements that a portal lets this user begin this journey here.

The portal issues them, journeys checks them; both derive the same signing key from the master key.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from chassis.errors import Rejected
from contracts.journeys import RecordRef, TaskRef

LIFETIME_SECONDS = 2 * 3600
"""Long enough to fill in a long form; the rules are asked again when it is submitted."""
AUDIENCE = "portico/journeys"
ALGORITHM = "HS256"
MAXIMUM_BYTES = 4096


class InvalidTicket(Rejected):
    """A ticket that was not issued here, or for something else: `ticket_invalid`, or `ticket_expired`."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who may begin which journey, and from where: by an action of the portal, or from a task."""

    subject: str
    portal_id: str
    journey_id: str
    contact_id: str | None = None
    action: str | None = None
    context: RecordRef | None = None
    task: TaskRef | None = None


class Tickets:
    """Issues and checks tickets."""

    def __init__(self, master_key: bytes) -> None:
        derived = HKDF(SHA256(), 32, None, b"portico launch tickets").derive(master_key)
        self._key = OctKey.import_key(derived)

    def issue(self, ticket: Ticket) -> str:
        """A ticket as it travels; good for `LIFETIME_SECONDS`."""
        claims: dict[str, Any] = {
            "aud": AUDIENCE,
            "exp": int(time.time()) + LIFETIME_SECONDS,
            "sub": ticket.subject,
            "portal_id": ticket.portal_id,
            "journey_id": ticket.journey_id,
            "contact_id": ticket.contact_id,
            "action": ticket.action,
            "context": ticket.context.model_dump() if ticket.context else None,
            "task": ticket.task.model_dump() if ticket.task else None,
        }
        return jwt.encode({"alg": ALGORITHM}, claims, self._key, algorithms=[ALGORITHM])

    def read(self, text: str) -> Ticket:
        """The ticket behind its text. Raises InvalidTicket."""
        if len(text) > MAXIMUM_BYTES:
            raise InvalidTicket("ticket_invalid")
        try:
            claims = jwt.decode(text, self._key, algorithms=[ALGORITHM]).claims
            if claims["aud"] != AUDIENCE:
                raise InvalidTicket("ticket_invalid")
            if claims["exp"] < time.time():
                raise InvalidTicket("ticket_expired")
            return Ticket(
                subject=claims["sub"],
                portal_id=claims["portal_id"],
                journey_id=claims["journey_id"],
                contact_id=claims["contact_id"],
                action=claims["action"],
                context=RecordRef.model_validate(claims["context"]) if claims["context"] else None,
                task=TaskRef.model_validate(claims["task"]) if claims["task"] else None,
            )
        except (JoseError, KeyError, ValueError) as error:
            raise InvalidTicket("ticket_invalid") from error
