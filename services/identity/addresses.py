"""E-mail addresses as they are checked and compared: two spellings of one mailbox are one address."""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress

from chassis.errors import Rejected

MAXIMUM_LENGTH = 254
_ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,64}@[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]+\.[^\s@.,;:]{2,63}")


def normalised(address: str) -> str:
    """The form that is compared: composed characters, no case, the domain as it stands in DNS."""
    local, _, domain = unicodedata.normalize("NFKC", address).strip().lower().rpartition("@")
    with suppress(UnicodeError):
        domain = domain if domain.isascii() else domain.encode("idna").decode()
    return f"{local}@{domain}" if local else domain


def checked(address: str) -> str:
    """The address without spaces around it. Raises Rejected when it is none."""
    address = unicodedata.normalize("NFKC", address).strip()
    if len(address) > MAXIMUM_LENGTH or not _ADDRESS.fullmatch(address) or ".." in address:
        raise Rejected("invalid_email")
    return address
