"""Secrets of machines: 256 random bits, shown once, kept as SHA-256 (a slow hash protects guessable secrets only)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any

from chassis.auth import Principal
from chassis.database import Pool
from chassis.decider import Do
from chassis.log import Connection
from chassis.streams import Outcome, Streams
from contracts.envelope import Metadata
from contracts.identity import MachineRole
from contracts.ids import record_id
from services.identity.machines.decider import MACHINES, ChangeSecret, MachineCommand, RegisterMachine, RevokeMachine
from services.identity.together import Write, carry_out

SECRET_BYTES = 32
SECRET_PREFIX = "portico_"  # noqa: S105 lets scanners of source code find a secret that was committed
NOBODY = hashlib.sha256(b"").digest()
MAXIMUM_MACHINES = 1_000


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a machine gets tokens with. The secret cannot be shown again."""

    machine_id: str
    secret: str
    outcome: Outcome


class MachineVault:
    """Machines as far as secrets are concerned."""

    def __init__(self, pool: Pool, streams: Streams) -> None:
        self._pool = pool
        self._streams = streams

    async def register(self, name: str, role: MachineRole, metadata: Metadata) -> Credentials:
        """A new machine; its id follows from its name."""
        machine_id, secret = record_id("machine", name), _new_secret()

        async def write(connection: Connection, _: Outcome) -> None:
            await connection.execute(
                "INSERT INTO machines (machine_id, name, role, secret_sha256) VALUES (%s, %s, %s, %s)",
                (machine_id, name, role, _digest(secret)),
            )

        outcome = await self._carry_out(machine_id, RegisterMachine(machine_id, name, role), metadata, write)
        return Credentials(machine_id, secret, outcome)

    async def change_secret(self, machine_id: str, metadata: Metadata) -> Credentials:
        """Another secret; the old one ends at once."""
        secret = _new_secret()

        async def write(connection: Connection, _: Outcome) -> None:
            await connection.execute(
                "UPDATE machines SET secret_sha256 = %s WHERE machine_id = %s", (_digest(secret), machine_id)
            )

        outcome = await self._carry_out(machine_id, ChangeSecret(machine_id), metadata, write)
        return Credentials(machine_id, secret, outcome)

    async def revoke(self, machine_id: str, metadata: Metadata) -> Outcome:
        """No more tokens; those it has end by themselves."""

        async def write(connection: Connection, _: Outcome) -> None:
            await connection.execute("DELETE FROM machines WHERE machine_id = %s", (machine_id,))

        return await self._carry_out(machine_id, RevokeMachine(machine_id), metadata, write)

    async def authenticate(self, machine_id: str, secret: str) -> Principal | None:
        """Whose credentials these are. An unknown machine and a wrong secret take the same way and time."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT role, secret_sha256 FROM machines WHERE machine_id = %s", (machine_id,)
            )
            role, expected = await cursor.fetchone() or (None, NOBODY)
        matches = hmac.compare_digest(_digest(secret), bytes(expected))
        return Principal(role, f"machine/{machine_id}") if matches and role else None

    async def all(self) -> list[dict[str, Any]]:
        """The machines that get tokens, by name."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT machine_id, name, role FROM machines ORDER BY name LIMIT %s", (MAXIMUM_MACHINES,)
            )
            rows = await cursor.fetchall()
        return [dict(zip(("machine_id", "name", "role"), row, strict=True)) for row in rows]

    async def _carry_out(self, id_: str, command: MachineCommand, metadata: Metadata, write: Write) -> Outcome:
        return await carry_out(self._pool, self._streams, Do(MACHINES, id_, command, metadata), write)


def _new_secret() -> str:
    return SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
