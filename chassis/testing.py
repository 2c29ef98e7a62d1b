"""A service at work inside a test: real PostgreSQL, real Kafka, requests without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import httpx

from chassis.service import Service
from chassis.settings import Settings

T = TypeVar("T")
READY_SECONDS = 30.0
POLL_SECONDS = 0.02


class RunningService:
    """A started service and a client that speaks to it."""

    def __init__(self, service: Service, client: httpx.AsyncClient) -> None:
        self.service = service
        self.client = client


@asynccontextmanager
async def running(create: Callable[[Settings], Service], settings: Settings) -> AsyncIterator[RunningService]:
    """Starts a service and waits until it is ready."""
    service = create(settings)
    transport = httpx.ASGITransport(app=service.http)
    async with (
        service.running(),
        httpx.AsyncClient(transport=transport, base_url=f"http://{service.name}", timeout=30) as client,
    ):

        async def ready() -> bool:
            return all((await service.readiness()).values())

        await eventually(ready, READY_SECONDS)
        yield RunningService(service, client)


async def eventually(probe: Callable[[], Awaitable[T]], seconds: float = 10.0) -> T:
    """Asks again until the answer is true, and returns it. Raises TimeoutError with the last answer."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not (answer := await probe()):
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"not within {seconds} s: the last answer was {answer!r}")
        await asyncio.sleep(POLL_SECONDS)
    return answer
