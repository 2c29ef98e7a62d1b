"""Small sealed texts for cookies and hidden fields: nobody but a gateway reads or makes them, and they expire."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken

LARGEST_SEALED = 96 * 1024
NONCE_BYTES = 12


class Box:
    """Seals JSON and proves forms with keys that are derived from the gateway's one key (32 bytes)."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(_derived(key, b"seal")))
        self._proof_key = _derived(key, b"form")

    def seal(self, data: Any) -> str:
        """The data as text that is safe in cookies and addresses."""
        return self._fernet.encrypt(orjson.dumps(data)).decode()

    def open(self, text: str | None, seconds: int) -> Any:
        """What was sealed; None when it is not ours, or was sealed longer ago than so many seconds."""
        if not text or len(text) > LARGEST_SEALED:
            return None
        try:
            return orjson.loads(self._fernet.decrypt(text, ttl=seconds))
        except (InvalidToken, ValueError):
            return None

    def proof(self, visitor: str) -> str:
        """What a form of this visitor carries to show that it came from a page of ours; another text every time."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return base64.urlsafe_b64encode(nonce + self._sign(nonce, visitor)).decode()

    def proves(self, proof: str, visitor: str) -> bool:
        try:
            given = base64.urlsafe_b64decode(proof.encode())
        except ValueError:
            return False
        nonce, signature = given[:NONCE_BYTES], given[NONCE_BYTES:]
        return bool(visitor) and hmac.compare_digest(signature, self._sign(nonce, visitor))

    def _sign(self, nonce: bytes, visitor: str) -> bytes:
        return hmac.new(self._proof_key, nonce + visitor.encode(), hashlib.sha256).digest()


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hmac.new(key, b"portico gateway: " + purpose, hashlib.sha256).digest()
