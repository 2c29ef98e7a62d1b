"""An application on a port of its own, for whoever comes by HTTP: a browser, a proxy, a command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette

from cli.story.stage import until


@asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[int]:
    """Yields the port that it is served on, in this event loop."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", proxy_headers=False))
    running = asyncio.create_task(server.serve())

    async def started() -> bool | None:
        if running.done():
            await running
        return server.started or None

    try:
        await until("the application to be served", started)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running
