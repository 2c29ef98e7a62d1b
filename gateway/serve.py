"""`portico gateway`: serves the portals and the staff's pages; run by `portico up`, and by its own container."""

from __future__ import annotations

import uvicorn
from pydantic import ValidationError

from chassis.settings import faults
from chassis.telemetry import configure_logging
from gateway.app import create
from gateway.settings import GatewaySettings

CONNECTIONS = 1_000


def serve() -> None:
    """Serve the portals' and the staff's pages until told to stop."""
    try:
        settings = GatewaySettings()
    except ValidationError as error:
        raise SystemExit(f"Some settings are missing or wrong.\n{faults(error)}") from error
    configure_logging("gateway", settings.log_format, settings.log_level)
    uvicorn.run(
        create(settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=3,
        server_header=False,
        proxy_headers=True,
    )
