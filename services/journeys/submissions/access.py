"""Who may see and change a submission: the one who began it, whoever has its secret, and nobody else."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from chassis.auth import Principal
from chassis.errors import NotFound
from chassis.streams import Clock
from services.journeys.submissions.drafts import Draft, Drafts, hash_of

USERS = ("customer", "installer")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and the secret that he has of a draft which was begun without signing in."""

    principal: Principal
    secret: str | None


def may_open(draft: Draft, caller: Caller) -> bool:
    """Whether a draft is the caller's: one of a contact only for as long as the user belongs to that contact."""
    if draft.secret_hash is not None:
        return caller.secret is not None and hmac.compare_digest(draft.secret_hash, hash_of(caller.secret))
    principal = caller.principal
    belongs = draft.contact_id in (None, principal.contact_id)
    return principal.role in USERS and belongs and principal.subject == draft.subject


@dataclass(frozen=True)
class Access:
    """Looks drafts up for those whose they are."""

    drafts: Drafts
    clock: Clock

    async def open(self, submission_id: str, caller: Caller) -> Draft:
        """The draft. Raises NotFound, alike for one that does not exist and one that is somebody else's."""
        draft = await self.drafts.find(submission_id, self.clock())
        if draft is None or not may_open(draft, caller):
            raise NotFound("submission_not_found")
        return draft
