"""What a portal user may see and change: records of his contact, and of those what his portal permits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from contracts.portal import Permission
from services.entities.schema import HOLDER, Schema

CONTACT = "contact"
INSTALLER = "installer"
RELATION_OF_ROLE: Mapping[str, str] = {"customer": HOLDER, "installer": INSTALLER}
"""By which relation a record belongs to a contact in a role."""

Relations = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Owner:
    """A contact in a role."""

    contact_id: str | None
    role: Literal["customer", "installer"] = "customer"

    def owns(self, schema: Schema, id_: str, relations: Relations) -> bool:
        """Whether a record is the contact itself, or leads to it by the relation of the role."""
        if self.contact_id is None:
            return False
        if schema.entity == CONTACT:
            return id_ == self.contact_id
        name = RELATION_OF_ROLE[self.role]
        leads_to_contacts = name in schema.relations and schema.relations[name].to == CONTACT
        return leads_to_contacts and self.contact_id in relations.get(name, ())


@dataclass(frozen=True, slots=True)
class Access:
    """An owner with the names of what he may see and change; the title of a record is seen by whoever sees it."""

    owner: Owner
    see: frozenset[str]
    change: frozenset[str]

    @classmethod
    def of(cls, owner: Owner, schema: Schema, permission: Permission | None) -> Access:
        permission = permission or Permission()
        title = frozenset({schema.title.attribute})
        return cls(owner, schema.named(permission.see) | title, schema.named(permission.change))
