"""A seal: what a relay says about the history of a shard up to a position, on the topic `seals`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field, PlainSerializer

from contracts.base import Contract

FORM = "portico.seal.1"
Sequence = Annotated[int, Field(ge=1, lt=2**63)]


def instant(time: datetime) -> str:
    """`2026-11-21T12:00:00.000000Z`: always with microseconds, so that a time has one form only."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Seal(Contract):
    """The last link of the hash chain over all events of a shard from its first to `last`.

    docs/audit.md describes the chain; examples/verify_seals.py computes it.
    """

    service: str
    shard: Annotated[int, Field(ge=0, le=32_767)]
    first: Sequence = Field(description="The first sequence that the seal before does not cover", examples=[1])
    last: Sequence = Field(description="The last sequence that this seal covers", examples=[1000])
    seal: str = Field(description="SHA-256, hexadecimal", pattern=r"^[0-9a-f]{64}$")
    sealed_at: Annotated[datetime, PlainSerializer(instant, when_used="json")]
    signature: str = Field(default="", description="base64 of the Ed25519 signature; empty when no key is configured")

    @property
    def chain(self) -> str:
        """Which chain it belongs to, `billing/2`; the key of its record."""
        return f"{self.service}/{self.shard}"

    @property
    def statement(self) -> bytes:
        """The bytes that are signed."""
        return f"{FORM} {self.chain}:{self.first}-{self.last} {self.seal} {instant(self.sealed_at)}".encode()
