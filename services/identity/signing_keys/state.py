"""What the rules know of signing keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from contracts.base import Event
from contracts.identity import SigningKeyAdded, SigningKeyRetired


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key in the JWKS; it signs from `signs_from` until a newer one does."""

    key_id: str
    signs_from: datetime


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The published keys, the newest last."""

    keys: tuple[SigningKey, ...] = ()

    @property
    def newest(self) -> SigningKey | None:
        return self.keys[-1] if self.keys else None


def evolve(state: SigningKeys, event: Event) -> SigningKeys:
    match event:
        case SigningKeyAdded(key_id=key_id, signs_from=signs_from):
            return SigningKeys((*state.keys, SigningKey(key_id, signs_from)))
        case SigningKeyRetired(key_id=key_id):
            return SigningKeys(tuple(key for key in state.keys if key.key_id != key_id))
        case _:
            return state
