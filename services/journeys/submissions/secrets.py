"""What opens a draft that was begun without signing in: made of its id, so that a second press is told the same."""

from __future__ import annotations

import base64
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECRET_BYTES = 24


class DraftSecrets:
    """Nobody without the master key can make them."""

    def __init__(self, master_key: bytes) -> None:
        self._key = HKDF(SHA256(), 32, None, b"portico draft secrets").derive(master_key)

    def of(self, draft_id: str) -> str:
        digest = hmac.digest(self._key, draft_id.encode(), "sha256")
        return base64.urlsafe_b64encode(digest[:SECRET_BYTES]).decode()
