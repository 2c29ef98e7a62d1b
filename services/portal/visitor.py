"""Who asks, in which portal, for which contact; and what he may see there. Every read of a page begins here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query

from chassis.auth import Forbidden, Principal, allow
from chassis.errors import NotFound, Rejected
from contracts.portal import Action, PortalConfigured
from contracts.processes import Audience
from services.portal.configuration.views import Portals, find_portal
from services.portal.definitions.shape import Shape

ForPortal = Annotated[
    str | None, Query(max_length=100, description="For staff: see it as users of this portal do (with contact_id)")
]
ForContact = Annotated[str | None, Query(max_length=100, description="For staff: only what is this contact's")]
Reader = Annotated[Principal, Depends(allow("customer", "installer", "staff", "operator"))]
User = Annotated[Principal, Depends(allow("customer", "installer"))]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request. `portal_id` and `contact_id` are those that it is about: the user's own, or the ones staff name.

    Staff who name no portal see everything; `contact_id` then only chooses.
    """

    principal: Principal
    portal_id: str | None
    contact_id: str | None

    @property
    def is_staff(self) -> bool:
        return self.principal.is_staff

    @property
    def sees_all(self) -> bool:
        return self.is_staff and self.portal_id is None

    @property
    def waits(self) -> bool:
        """A user whom nobody has assigned to a contact yet."""
        return not self.is_staff and self.contact_id is None

    @property
    def reader(self) -> str:
        """As whom notices are read."""
        return f"contact/{self.contact_id}" if self.contact_id else self.principal.subject

    def assigned(self) -> str:
        """The contact that it is about. Raises Forbidden for users who belong to none, Rejected for staff."""
        if self.contact_id is None:
            raise Rejected("invalid_for_staff") if self.is_staff else Forbidden("not_assigned")
        return self.contact_id


def visit(principal: Principal, portal_id: str | None = None, contact_id: str | None = None) -> Visit:
    """The visit of a principal; users can name nothing but what is their own. Raises Forbidden, Rejected."""
    if principal.is_staff:
        if portal_id is not None and contact_id is None:
            raise Rejected("invalid_for_staff")
        return Visit(principal, portal_id, contact_id)
    if portal_id not in {None, principal.portal_id} or contact_id not in {None, principal.contact_id}:
        raise Forbidden(role=principal.role)
    return Visit(principal, principal.portal_id, principal.contact_id)


async def _asked(principal: Reader, portal_id: ForPortal = None, contact_id: ForContact = None) -> Visit:
    return visit(principal, portal_id, contact_id)


Asked = Annotated[Visit, Depends(_asked)]
"""The visit of a request of users or staff; staff can name portal and contact."""


async def visiting(portals: Portals, visited: Visit) -> Visitor:
    """The visit with the portal as it is now. Raises Forbidden when the portal is switched off, or not there."""
    return Visitor.of(visited, await portal_of(portals, visited))


async def paying(portals: Portals, visited: Visit) -> Visitor:
    """The same for who may know of payments. Raises Forbidden for installers."""
    visitor = await visiting(portals, visited)
    if not visitor.sees_money:
        raise Forbidden("payments_not_shown")
    return visitor


async def portal_of(portals: Portals, visited: Visit) -> PortalConfigured | None:
    """The portal of a visit; null for staff who see everything, and where there is none."""
    if visited.sees_all:
        return None
    return await find_portal(portals, visited.portal_id, visited.principal.role)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A visit and the rules of its portal, null for staff who see everything."""

    visit: Visit
    portal: PortalConfigured | None

    @classmethod
    def of(cls, visited: Visit, portal: PortalConfigured | None) -> Visitor:
        """Raises Forbidden when the portal is switched off, or not there; staff can look at one that is off."""
        if visited.is_staff:
            if portal is None and not visited.sees_all:
                raise NotFound("portal_not_found")
        elif portal is None or not portal.enabled:
            raise Forbidden("portal_disabled")
        return cls(visited, portal)

    @property
    def contact_id(self) -> str | None:
        return self.visit.contact_id

    @property
    def portal_id(self) -> str:
        """Where he is; for staff who see everything, nowhere."""
        return self.portal.portal_id if self.portal else ""

    @property
    def audience(self) -> Audience:
        """For whom texts and steps are chosen."""
        return self.portal.audience if self.portal else "customer"

    @property
    def sees_money(self) -> bool:
        """What a contract costs is between its holder and the utility."""
        return self.audience == "customer"

    def actions(self) -> tuple[Action, ...]:
        """What the portal offers at all, whether its rules hold or not."""
        return self.portal.actions if self.portal else ()

    def seen(self, shape: Shape) -> frozenset[str] | None:
        """The attributes of an entity that are shown; null: all. What a record is called by is always among them."""
        if self.portal is None:
            return None
        permission = self.portal.permissions.get(shape.entity)
        return shape.named(permission.see if permission else ()) | {shape.title}

    def changeable(self, shape: Shape) -> frozenset[str]:
        """The attributes of an entity that users may change."""
        permission = self.portal.permissions.get(shape.entity) if self.portal else None
        names = shape.named(permission.change if permission else ())
        fixed = {name for name, each in shape.attributes.items() if each.decided_by or each.unique}
        return names - fixed
