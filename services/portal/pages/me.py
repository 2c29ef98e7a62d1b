"""Who is signed in, what is known of him, and what waits for him."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from chassis.database import Pool
from chassis.streams import Clock
from chassis.views import ViewReader
from contracts.common import Language, Text
from services.portal.configuration.views import Portals
from services.portal.definitions.shown import ShownGroup, groups, permitted
from services.portal.definitions.views import Definitions, definitions_for
from services.portal.notices.views import Inbox, count_unread
from services.portal.offers.rules import OfferedAction, OfferedLink, actions_at, facts_of, links_at
from services.portal.pages.answers import Answer, Contact
from services.portal.pages.views import ContactDoc
from services.portal.processes.queries import count_open_tasks
from services.portal.users.views import UserDoc, user_id_of
from services.portal.visitor import Visit, visiting

CONTACT = "contact"
MOST_COUNTED = 100


class PortalName(Answer):
    """The portal that the user is in."""

    id: str
    name: Text
    url: str


class User(Answer):
    """The user as he registered; null where it is not known, and after an erasure."""

    id: str
    email: str | None
    name: str | None
    language: Language | None


class Me(Answer):
    """Whoever sends the token."""

    subject: str
    role: str
    portal_id: str | None
    actor: str | None = Field(description="The member of staff who acts as this user")
    status: Literal["ready", "waiting"] = Field(description="waiting: nobody has assigned a contact to him yet")
    portal: PortalName | None
    user: User | None
    contact: Contact | None = Field(description="The contact as which he is known, with what he may see of it")
    groups: list[ShownGroup] = Field(description="The same as the schema groups it, with labels")
    actions: list[OfferedAction] = Field(description="What may be begun at his own page now")
    links: list[OfferedLink] = Field(description="Links of his own page and of every page that are shown now")
    open_tasks: int = Field(description="Tasks that wait for him, counted up to 100")
    unread_notices: int = Field(description="Notices that he has not read, counted up to 100")


@dataclass(frozen=True)
class MePages:
    """The read models behind it."""

    pool: Pool
    portals: Portals
    definitions: Definitions
    contacts: ViewReader[ContactDoc]
    users: ViewReader[UserDoc]
    clock: Clock

    async def read(self, visited: Visit) -> Me:
        """Raises Forbidden when the portal is switched off."""
        contact_id, user_id = visited.contact_id, user_id_of(visited.principal.subject)
        inbox = Inbox.of(contact_id, visited.reader)
        visitor, known, contacts, users, open_tasks, unread = await asyncio.gather(
            visiting(self.portals, visited),
            definitions_for(self.definitions, CONTACT),
            self.contacts.get_many([contact_id] if contact_id else []),
            self.users.get_many([user_id] if user_id else []),
            count_open_tasks(self.pool, contact_id or "", MOST_COUNTED),
            count_unread(self.pool, inbox, MOST_COUNTED),
        )
        contact = next((each for each in contacts.values() if each.known or each.erased), None)
        shape = known.shape(CONTACT)
        seen, values = visitor.seen(shape), contact.values if contact else {}
        facts, now = facts_of(contact), self.clock()
        portal, ready = visitor.portal, contact_id is not None
        return Me(
            subject=visited.principal.subject,
            role=visited.principal.role,
            portal_id=portal.portal_id if portal else visited.portal_id,
            actor=visited.principal.actor,
            status="waiting" if visited.waits else "ready",
            portal=PortalName(id=portal.portal_id, name=portal.name, url=portal.url) if portal else None,
            user=_user(users.get(user_id or "")),
            contact=Contact.of(contact, permitted(values, seen)) if contact else None,
            groups=groups(shape, values, seen, visitor.changeable(shape)) if contact else [],
            actions=actions_at(CONTACT, portal, known.journeys, facts, now) if ready else [],
            links=links_at(CONTACT, portal, known.journeys, facts, now) if ready else [],
            open_tasks=open_tasks,
            unread_notices=0 if visited.waits else unread,
        )


def _user(user: UserDoc | None) -> User | None:
    return User(id=user.user_id, email=user.email, name=user.name, language=user.language) if user else None
