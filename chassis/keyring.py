"""Keys of persons, and the sealing of personal fields with them: in memory plain, in the log and on topics sealed."""

from __future__ import annotations

import base64
import binascii
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg_pool import AsyncConnectionPool
from pydantic import ValidationError

from contracts.base import Event, Sealed, decode, newest
from contracts.envelope import Envelope, Record

NONCE_BYTES = 12
KEY_BYTES = 32
CACHE_SECONDS = 60
CACHE_KEYS = 100_000

Keys = Mapping[str, bytes]


class Keyring(Protocol):
    """Data keys by person. A person who was erased has none and never gets one again."""

    async def find(self, persons: Iterable[str]) -> Keys:
        """The keys of those persons who have one."""

    async def provide(self, persons: Iterable[str]) -> Keys:
        """The keys of these persons, made where missing; erased persons are left out."""

    async def erase(self, person: str) -> bool:
        """Destroys a person's key; False when it was gone already."""


class MemoryKeyring:
    """A keyring for rules and tests."""

    def __init__(self) -> None:
        self._keys: dict[str, bytes | None] = {}

    async def find(self, persons: Iterable[str]) -> Keys:
        return {person: key for person in persons if (key := self._keys.get(person))}

    async def provide(self, persons: Iterable[str]) -> Keys:
        wanted = set(persons)
        for person in wanted:
            self._keys.setdefault(person, os.urandom(KEY_BYTES))
        return await self.find(wanted)

    async def erase(self, person: str) -> bool:
        had = self._keys.get(person) is not None
        self._keys[person] = None
        return had


class PostgresKeyring:
    """The keyring in the schema `keyring`: data keys wrapped by the master key, cached for a minute in the process."""

    def __init__(self, pool: AsyncConnectionPool[Any], master_key: bytes) -> None:
        self._pool = pool
        self._master = AESGCM(master_key)
        self._cache: dict[str, tuple[float, bytes]] = {}

    async def find(self, persons: Iterable[str]) -> Keys:
        return await self._keys(persons, create=False)

    async def provide(self, persons: Iterable[str]) -> Keys:
        return await self._keys(persons, create=True)

    async def erase(self, person: str) -> bool:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "INSERT INTO keyring.keys (person, erased_at) VALUES (%s, now()) "
                "ON CONFLICT (person) DO UPDATE SET wrapped = NULL, erased_at = now() WHERE keys.wrapped IS NOT NULL",
                (person,),
            )
        self.forget(person)
        return bool(cursor.rowcount)

    def forget(self, person: str) -> None:
        """Drops a key from this process; called when PersonErased arrives."""
        self._cache.pop(person, None)

    async def _keys(self, persons: Iterable[str], *, create: bool) -> Keys:
        now = time.monotonic()
        found: dict[str, bytes] = {}
        missing: list[str] = []
        for person in set(persons):
            expires, key = self._cache.get(person, (0.0, b""))
            if expires > now:
                found[person] = key
            else:
                missing.append(person)
        if missing:
            fetched = await self._fetch(sorted(missing), create=create)
            if len(self._cache) + len(fetched) > CACHE_KEYS:
                self._cache.clear()
            self._cache |= {person: (now + CACHE_SECONDS, key) for person, key in fetched.items()}
            found |= fetched
        return found

    async def _fetch(self, persons: list[str], *, create: bool) -> dict[str, bytes]:
        select = "SELECT person, wrapped FROM keyring.keys WHERE person = ANY(%s) AND wrapped IS NOT NULL"
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(select, (persons,))).fetchall()
            unknown = sorted(set(persons) - {person for person, _ in rows})
            if create and unknown:
                fresh = [self._wrap(person, os.urandom(KEY_BYTES)) for person in unknown]
                await connection.execute(
                    "INSERT INTO keyring.keys (person, wrapped) SELECT * FROM unnest(%s::text[], %s::bytea[]) "
                    "ON CONFLICT DO NOTHING",
                    (unknown, fresh),
                )
                rows += await (await connection.execute(select, (unknown,))).fetchall()
        return {person: self._unwrap(person, bytes(wrapped)) for person, wrapped in rows}

    def _wrap(self, person: str, key: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._master.encrypt(nonce, key, person.encode())

    def _unwrap(self, person: str, wrapped: bytes) -> bytes:
        try:
            return self._master.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], person.encode())
        except InvalidTag:
            raise WrongMasterKey(f"the master key does not open the key of {person}") from None


class WrongMasterKey(Exception):
    """PORTICO_MASTER_KEY is not the key that this keyring was made with."""


def seal(value: Any, person: str, key: bytes) -> Sealed:
    """Encrypts a JSON value for a person."""
    nonce = os.urandom(NONCE_BYTES)
    box = nonce + AESGCM(key).encrypt(nonce, orjson.dumps(value), person.encode())
    return Sealed(sealed=person, box=base64.b64encode(box).decode())


def open_sealed(sealed: Sealed, key: bytes) -> bytes | None:
    """The JSON bytes in a box, or None when the key does not open it."""
    try:
        box = base64.b64decode(sealed.box, validate=True)
        return AESGCM(key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], sealed.sealed.encode())
    except (InvalidTag, ValueError, binascii.Error):
        return None


class Sealer:
    """Turns events into the bytes that are stored, and records back into events, by the keys of a keyring."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def encode(self, events: Sequence[Event]) -> list[bytes]:
        """JSON of each event, personal fields sealed. Empty values stay plain; boxes of an erased person are empty."""
        persons = {event.person for event in events if _personal_values(event)}  # type: ignore[attr-defined]
        keys = await self._keyring.provide(persons) if persons else {}
        return [_encode(event, keys) for event in events]

    async def open(self, records: Iterable[Record]) -> list[Envelope]:
        """Loads records in the newest version of their events and opens what its keys allow.

        Raises UnknownEventType or pydantic's ValidationError for what cannot be loaded.
        """
        loaded = [(record, decode(record.type, record.data)) for record in records]
        boxes = {box.sealed for _, event in loaded for box in _boxes(event).values()}
        keys = await self._keyring.find(boxes) if boxes else {}
        return [Envelope(record, newest(_open(event, keys) if keys else event)) for record, event in loaded]

    async def reveal(self, boxes: Sequence[Sealed]) -> list[Any]:
        """The plain JSON values of boxes; None for those of an erased person."""
        keys = await self._keyring.find({box.sealed for box in boxes})
        opened = [open_sealed(box, keys[box.sealed]) if box.sealed in keys else None for box in boxes]
        return [None if value is None else orjson.loads(value) for value in opened]


def _personal_values(event: Event) -> dict[str, Any]:
    if not event.personal_fields:
        return {}
    values = {field: getattr(event, field) for field in event.personal_fields}
    return {field: value for field, value in values.items() if value and not isinstance(value, Sealed)}


def _boxes(event: Event) -> dict[str, Sealed]:
    if not event.personal_fields:
        return {}
    values = {field: getattr(event, field) for field in event.personal_fields}
    return {field: value for field, value in values.items() if isinstance(value, Sealed)}


ERASED_BOX = ""


def _encode(event: Event, keys: Keys) -> bytes:
    values = _personal_values(event)
    if not values:
        return event.model_dump_json().encode()
    person: str = event.person  # type: ignore[attr-defined]
    plain = event.model_dump(mode="json", include=set(values))
    key = keys.get(person)
    sealed = {
        field: seal(value, person, key) if key else Sealed(sealed=person, box=ERASED_BOX)
        for field, value in plain.items()
    }
    return event.model_copy(update=sealed).model_dump_json().encode()


def _open(event: Event, keys: Keys) -> Event:
    opened: dict[str, Any] = {}
    for field, box in _boxes(event).items():
        key = keys.get(box.sealed)
        value = open_sealed(box, key) if key else None
        if value is not None:
            try:
                opened[field] = event.personal_fields[field].validate_json(value)
            except ValidationError as error:
                raise ValueError(f"{event.type}: the box of {field} holds another type") from error
    return event.model_copy(update=opened) if opened else event
