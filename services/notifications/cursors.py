"""Where a page of a list begins, as an opaque text: the time and id of the last entry before it."""

from __future__ import annotations

import base64
import binascii

from chassis.errors import Rejected


def write_cursor(at: str, id_: str) -> str:
    return base64.urlsafe_b64encode(f"{at} {id_}".encode()).decode().rstrip("=")


def read_cursor(cursor: str | None) -> tuple[str, str] | None:
    """What `write_cursor` was given. Raises Rejected for anything else."""
    if not cursor:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        raise Rejected("invalid_cursor") from None
    at, _, id_ = text.partition(" ")
    if not at or not id_ or "\0" in text:
        raise Rejected("invalid_cursor")
    return at, id_
