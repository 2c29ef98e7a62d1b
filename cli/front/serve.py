"""`portico front`: all APIs at one address; run by `portico up` and by docker-compose.yml."""

from __future__ import annotations

import os

import uvicorn

from cli.front.app import application
from cli.problem import Problem
from cli.stack.ports import DEFAULTS, HOST
from contracts.topics import SERVICES

CONNECTIONS = 1_000


def front() -> None:
    """Serve every service below /api/SERVICE/ and their description at /api/docs, until told to stop."""
    addresses = {service: os.environ.get(_variable(service), "").rstrip("/") for service in SERVICES}
    if missing := [_variable(service) for service, address in addresses.items() if not address]:
        raise Problem("It is not said where every service is.", f"Set {', '.join(missing)}.")
    uvicorn.run(
        application(addresses),
        host=os.environ.get("PORTICO_HOST") or HOST,
        port=int(os.environ.get("PORTICO_PORT") or DEFAULTS["front"]),
        log_level="warning",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=3,
        server_header=False,
        date_header=False,
        proxy_headers=False,
    )


def _variable(service: str) -> str:
    return f"PORTICO_{service.upper()}_URL"
