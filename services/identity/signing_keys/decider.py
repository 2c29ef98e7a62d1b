"""When a key is added, when it begins to sign, and when it goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from chassis.decider import Decider
from chassis.errors import Rejected
from contracts.base import Event
from contracts.identity import SigningKeyAdded, SigningKeyRetired
from services.identity.lifetimes import LONGEST_TOKEN
from services.identity.signing_keys.state import SigningKeys, evolve

STREAM_ID = "portico"
LEAD = timedelta(minutes=5)
"""Longer than anybody caches the JWKS, so that a key is known everywhere before it signs."""
KEPT = LONGEST_TOKEN + timedelta(minutes=5)
MAXIMUM_AGE = timedelta(days=30)
MAXIMUM_KEYS = 10


@dataclass(frozen=True, slots=True)
class TendKeys:
    """Does what is due by time: the first key, a new one for one that is old, and an end to those nobody needs."""

    new_key_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RotateKeys:
    """Adds a key on demand. `urgent`, when a private key leaked: it signs at once and all others go at once."""

    new_key_id: str
    at: datetime
    urgent: bool = False


def decide(command: TendKeys | RotateKeys, state: SigningKeys) -> list[Event]:
    match command:
        case TendKeys():
            return [*_added_by_age(command, state), *_retired_by_age(command.at, state)]
        case RotateKeys(urgent=True):
            added = SigningKeyAdded(key_id=command.new_key_id, signs_from=command.at)
            return [added, *(SigningKeyRetired(key_id=key.key_id) for key in state.keys)]
        case RotateKeys():
            if state.newest and state.newest.signs_from > command.at:
                raise Rejected("signing_key_waits_already", signs_from=state.newest.signs_from)
            if len(state.keys) >= MAXIMUM_KEYS:
                raise Rejected("too_many_signing_keys", limit=MAXIMUM_KEYS)
            signs_from = command.at + LEAD if state.keys else command.at
            return [SigningKeyAdded(key_id=command.new_key_id, signs_from=signs_from)]
        case _:
            assert_never(command)


def _added_by_age(command: TendKeys, state: SigningKeys) -> list[Event]:
    if state.newest is None:
        return [SigningKeyAdded(key_id=command.new_key_id, signs_from=command.at)]
    if state.newest.signs_from + MAXIMUM_AGE > command.at:
        return []
    return [SigningKeyAdded(key_id=command.new_key_id, signs_from=command.at + LEAD)]


def _retired_by_age(at: datetime, state: SigningKeys) -> list[Event]:
    return [
        SigningKeyRetired(key_id=key.key_id)
        for key, successor in zip(state.keys, state.keys[1:], strict=False)
        if successor.signs_from + KEPT <= at
    ]


SIGNING_KEYS: Decider[TendKeys | RotateKeys, SigningKeys] = Decider("signing_keys", SigningKeys(), decide, evolve)
