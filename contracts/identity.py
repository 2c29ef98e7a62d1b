"""Events of identity: signing keys, machines, and who looked at or erased personal data."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from contracts.base import Event

MachineRole = Literal["erp", "operator", "gateway"]


class SigningKeyAdded(Event, service="identity"):
    """A key joined the JWKS; it signs from `signs_from` on."""

    key_id: str
    signs_from: datetime


class SigningKeyRetired(Event, service="identity"):
    """A key left the JWKS; tokens it signed are no longer accepted."""

    key_id: str


class MachineRegistered(Event, service="identity"):
    """A machine (an ERP, an operator's script, a gateway) may get tokens of a role."""

    machine_id: str
    name: str
    role: MachineRole


class MachineSecretChanged(Event, service="identity"):
    """A machine has a new secret; the old one no longer works."""

    machine_id: str


class MachineRevoked(Event, service="identity"):
    """A machine gets no more tokens."""

    machine_id: str


class PersonalDataRevealed(Event, service="identity"):
    """Somebody was shown sealed values, for this reason."""

    reveal_id: str
    revealed_to: str
    reason: str
    persons: tuple[str, ...]
    values: int


class PersonErased(Event, service="identity"):
    """The key of a person is destroyed: what was sealed with it cannot be read again by anybody."""

    person: str
    reason: str
