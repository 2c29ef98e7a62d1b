"""How the first operator gets in: whoever holds identity's database credentials registers a machine without a token.

`portico machine add NAME --role operator`, run where identity's environment is (in its container), prints a client id
and secret; `POST /token` turns them into a token that may register further machines. No standing secret exists before.
"""

from __future__ import annotations

from chassis.database import open_pool
from chassis.keyring import MemoryKeyring, Sealer
from chassis.postgres_log import PostgresLog
from chassis.streams import Streams
from contracts.envelope import Metadata
from contracts.identity import MachineRole
from services.identity.machines.vault import Credentials, MachineVault

CONNECTIONS = 4
ACTOR = "command line"


async def add_machine(database_url: str, name: str, role: MachineRole) -> Credentials:
    """Registers a machine straight in identity's log, at the URL of identity's own role.

    Raises Rejected when the name is taken or none. No event of a machine is personal, so no keyring is needed.
    """
    async with open_pool(database_url, CONNECTIONS) as pool:
        streams = Streams(await PostgresLog.connect("identity", pool), Sealer(MemoryKeyring()))
        return await MachineVault(pool, streams).register(name, role, Metadata(actor=ACTOR))
