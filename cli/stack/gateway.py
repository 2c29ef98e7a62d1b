"""The web gateway that `up` runs: its address, its machine at identity, its program."""

from __future__ import annotations

import functools
import json
import secrets
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from chassis.errors import Rejected
from cli.stack.ports import HOST
from cli.stack.programs import Program
from cli.stack.services import answers_ready, service_url
from cli.stack.state import Secrets, State, write_private
from services.identity.bootstrap import add_machine

STAFF = "staff"


@dataclass(frozen=True)
class GatewayMachine:
    """What the gateway gets its own tokens with."""

    client_id: str
    client_secret: str


def site_url(site: str, ports: Mapping[str, int]) -> str:
    """Where a browser on this machine finds a portal, or the pages of staff: names below localhost are this machine."""
    return f"http://{site}.localhost:{ports['gateway']}"


def index_url(ports: Mapping[str, int]) -> str:
    """The page that leads to every portal."""
    return f"http://localhost:{ports['gateway']}"


async def machine(state: State, identity_database_url: str) -> GatewayMachine:
    """Registered once per state folder, straight in identity's database; the same ever after."""
    path = state.folder / "gateway.json"
    if path.exists():
        return GatewayMachine(**json.loads(path.read_text()))
    try:
        registered = await add_machine(identity_database_url, "gateway", "gateway")
    except Rejected:
        registered = await add_machine(identity_database_url, f"gateway-{secrets.token_hex(4)}", "gateway")
    found = GatewayMachine(registered.machine_id, registered.secret)
    write_private(path, asdict(found))
    return found


def program(state: State, ports: Mapping[str, int], made: Secrets, own: GatewayMachine, mailbox_url: str) -> Program:
    return Program(
        name="gateway",
        command=(sys.executable, "-m", "cli.main", "gateway"),
        log=state.logs / "gateway.log",
        ready=functools.partial(answers_ready, ports["gateway"]),
        environment={
            "PORTICO_API_URL": f"{service_url('front', ports)}/api",
            "PORTICO_CLIENT_ID": own.client_id,
            "PORTICO_CLIENT_SECRET": own.client_secret,
            "PORTICO_GATEWAY_KEY": made.gateway_key,
            "PORTICO_STAFF_URL": site_url(STAFF, ports),
            "PORTICO_MAILBOX_URL": mailbox_url,
            "PORTICO_DEVELOPMENT": "true",
            "PORTICO_HOST": HOST,
            "PORTICO_PORT": str(ports["gateway"]),
        },
        grace_seconds=5.0,
    )
