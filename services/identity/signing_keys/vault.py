"""Private keys: in a table, encrypted with the master key, read again every few seconds so that all instances agree."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc.jwk import OKPKey

from chassis.auth import ALGORITHM, generate_key
from chassis.database import Pool
from chassis.decider import Do
from chassis.errors import Unavailable
from chassis.keyring import NONCE_BYTES, WrongMasterKey
from chassis.log import Connection
from chassis.streams import Outcome, Streams
from contracts.envelope import Metadata
from contracts.identity import SigningKeyAdded, SigningKeyRetired
from services.identity.signing_keys.decider import SIGNING_KEYS, STREAM_ID, RotateKeys, TendKeys
from services.identity.together import carry_out

CACHE_SECONDS = 5
TEND_SECONDS = 60


@dataclass(frozen=True, slots=True)
class _Stored:
    key: OKPKey
    signs_from: datetime


class SigningVault:
    """The signing keys of this deployment; also the Keys by which identity checks tokens itself."""

    def __init__(self, pool: Pool, streams: Streams, master_key: bytes) -> None:
        self._pool = pool
        self._streams = streams
        self._master = AESGCM(master_key)
        self._stored: tuple[_Stored, ...] = ()
        self._read_at = float("-inf")

    async def signer(self) -> OKPKey:
        """The key that signs now; the first one is made on the way. Raises Unavailable when there is none."""
        for again in (True, False):
            now = self._streams.clock()
            signing = [stored for stored in await self._keys() if stored.signs_from <= now]
            if signing:
                return signing[-1].key
            if again:
                await self.tend()
        raise Unavailable("no key signs yet")

    async def find(self, key_id: str) -> OKPKey | None:
        return next((stored.key for stored in await self._keys() if stored.key.kid == key_id), None)

    async def jwks(self) -> dict[str, Any]:
        """The public keys as a JWKS (RFC 7517)."""
        marks = {"use": "sig", "alg": ALGORITHM}
        return {"keys": [{**stored.key.as_dict(private=False), **marks} for stored in await self._keys()]}

    async def rotate(self, urgent: bool, metadata: Metadata) -> Outcome:
        """Adds a key on demand."""
        key = generate_key()
        return await self._change(RotateKeys(key.thumbprint(), self._streams.clock(), urgent), key, metadata)

    async def tend(self) -> None:
        """Does once what is due by time."""
        key = generate_key()
        await self._change(TendKeys(key.thumbprint(), self._streams.clock()), key, Metadata(actor="identity"))

    async def run(self) -> None:
        """Tends the keys as long as the service runs."""
        while True:
            await self.tend()
            await asyncio.sleep(TEND_SECONDS)

    async def _change(self, command: TendKeys | RotateKeys, key: OKPKey, metadata: Metadata) -> Outcome:
        async def write(connection: Connection, outcome: Outcome) -> None:
            for event in outcome.events:
                match event:
                    case SigningKeyAdded():
                        await connection.execute(
                            "INSERT INTO signing_keys (key_id, wrapped, signs_from) VALUES (%s, %s, %s)",
                            (event.key_id, self._wrap(key), event.signs_from),
                        )
                    case SigningKeyRetired():
                        await connection.execute("DELETE FROM signing_keys WHERE key_id = %s", (event.key_id,))

        outcome = await carry_out(self._pool, self._streams, Do(SIGNING_KEYS, STREAM_ID, command, metadata), write)
        if outcome.events:
            self._read_at = float("-inf")
        return outcome

    async def _keys(self) -> tuple[_Stored, ...]:
        if not self._stored or time.monotonic() - self._read_at > CACHE_SECONDS:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(
                    "SELECT key_id, wrapped, signs_from FROM signing_keys ORDER BY signs_from, key_id"
                )
                rows = await cursor.fetchall()
            known = {stored.key.kid: stored for stored in self._stored}
            self._stored = tuple(
                known.get(key_id) or _Stored(self._unwrap(key_id, bytes(wrapped)), signs_from)
                for key_id, wrapped, signs_from in rows
            )
            self._read_at = time.monotonic()
        return self._stored

    def _wrap(self, key: OKPKey) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._master.encrypt(nonce, orjson.dumps(key.as_dict(private=True)), _context(key.thumbprint()))

    def _unwrap(self, key_id: str, wrapped: bytes) -> OKPKey:
        try:
            opened = self._master.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _context(key_id))
        except InvalidTag:
            raise WrongMasterKey(f"the master key does not open the signing key {key_id}") from None
        return OKPKey.import_key(orjson.loads(opened))


def _context(key_id: str) -> bytes:
    return f"signing_key/{key_id}".encode()
