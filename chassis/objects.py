"""Files of people: a folder or a bucket, in which everything is sealed with the key of the person it belongs to.

A sealed object is a header and chunks, each encrypted with AES-256-GCM under a key of the object's own (derived from
the person's): neither the order nor the end of the chunks can be changed unnoticed, and no more than a chunk or two is
ever in memory.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress

import obstore
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from chassis.errors import Unavailable

CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16
SALT_BYTES = 32
MAGIC = b"portico1"
HEADER_BYTES = len(MAGIC) + SALT_BYTES
PUT_SECONDS = 120
GET_SECONDS = 30
DELETE_SECONDS = 10
PART_BYTES = 5 * 1024 * 1024
PARTS_AT_ONCE = 2


class ObjectLost(Exception):
    """An object that should be there is not, or is not what was written."""


class Objects:
    """Bytes by name, in one folder (`file:///...`) or bucket (`s3://...`, with the usual AWS_... variables)."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: ObjectStore | None = None

    @property
    def _store(self) -> ObjectStore:
        """Opened when first needed, so that a service without files needs no store."""
        if self._opened is None:
            local = self._url.startswith("file:")
            self._opened = from_url(self._url, mkdir=True) if local else from_url(self._url)
        return self._opened

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> None:
        """Writes an object as a whole or not at all. Raises Unavailable."""
        with _available():
            async with asyncio.timeout(PUT_SECONDS):
                await obstore.put_async(self._store, name, chunks, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE)

    async def get(self, name: str) -> AsyncIterator[bytes]:
        """The bytes of an object, in pieces. Raises ObjectLost or Unavailable."""
        with _available():
            try:
                async with asyncio.timeout(GET_SECONDS):
                    found = await obstore.get_async(self._store, name)
            except FileNotFoundError:
                raise ObjectLost(name) from None
        stream = aiter(found.stream(min_chunk_size=CHUNK_BYTES))
        while True:
            with _available():
                try:
                    async with asyncio.timeout(GET_SECONDS):
                        piece = await anext(stream)
                except StopAsyncIteration:
                    return
            yield bytes(piece)

    async def delete(self, name: str) -> None:
        """Removes an object; one that is gone already is fine. Raises Unavailable."""
        with _available(), suppress(FileNotFoundError):
            async with asyncio.timeout(DELETE_SECONDS):
                await obstore.delete_async(self._store, name)


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError, TimeoutError) as error:
        raise Unavailable(f"the object store: {type(error).__name__}: {error}") from error


async def sealed(pieces: Iterable[bytes], key: bytes, name: str) -> AsyncIterator[bytes]:
    """The pieces, encrypted for the object `name` with a person's key."""
    salt = os.urandom(SALT_BYTES)
    cipher = _cipher(key, salt, name)
    yield MAGIC + salt
    number = 0
    held: bytes | None = None
    for chunk in _chunks(pieces):
        if held is not None:
            yield cipher.encrypt(_nonce(number, last=False), held, None)
            number += 1
        held = chunk
    yield cipher.encrypt(_nonce(number, last=True), held or b"", None)


async def opened(pieces: AsyncIterator[bytes], key: bytes, name: str) -> AsyncIterator[bytes]:
    """The plain bytes of a sealed object. Raises ObjectLost where something was changed, left out or cut off."""
    buffer = bytearray()
    cipher: AESGCM | None = None
    number = 0
    async for piece in pieces:
        buffer += piece
        if cipher is None and len(buffer) >= HEADER_BYTES:
            if not buffer.startswith(MAGIC):
                raise ObjectLost(name)
            cipher = _cipher(key, bytes(buffer[len(MAGIC) : HEADER_BYTES]), name)
            del buffer[:HEADER_BYTES]
        while cipher is not None and len(buffer) > CHUNK_BYTES + TAG_BYTES:
            chunk = bytes(buffer[: CHUNK_BYTES + TAG_BYTES])
            del buffer[: CHUNK_BYTES + TAG_BYTES]
            yield _decrypted(cipher, number, chunk, name, last=False)
            number += 1
    if cipher is None:
        raise ObjectLost(name)
    yield _decrypted(cipher, number, bytes(buffer), name, last=True)


def _chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in chunks of one size; the last one may be shorter."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) >= CHUNK_BYTES:
            yield bytes(buffer[:CHUNK_BYTES])
            del buffer[:CHUNK_BYTES]
    if buffer:
        yield bytes(buffer)


def _decrypted(cipher: AESGCM, number: int, chunk: bytes, name: str, *, last: bool) -> bytes:
    try:
        return cipher.decrypt(_nonce(number, last=last), chunk, None)
    except InvalidTag:
        raise ObjectLost(name) from None


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11) + (b"\x01" if last else b"\x00")


def _cipher(key: bytes, salt: bytes, name: str) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt, b"portico object " + name.encode()).derive(key))
