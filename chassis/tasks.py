"""Work beside requests: started again when it fails, and surely ended when it must."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

log = structlog.get_logger()

Work = Callable[[], Awaitable[None]]
STOP_ATTEMPTS = 5
STOP_SECONDS = 2.0
BACKGROUND_SECONDS = (0.5, 30.0)


async def restarted(name: str, work: Work, *, once: bool = False) -> None:
    """Runs work for ever, or until it is `once` done; what it cannot mend itself is logged, and it begins anew."""
    low, high = BACKGROUND_SECONDS
    backoff = low
    while True:
        started = asyncio.get_running_loop().time()
        try:
            await work()
            if once:
                return
        except Exception:
            log.exception("work failed", work=name, retry_seconds=backoff)
        backoff = low if asyncio.get_running_loop().time() - started > high else min(backoff * 2, high)
        await asyncio.sleep(backoff)


async def ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Ends tasks; a library may swallow a cancellation, so it is said again, and not for ever.

    Whoever is cancelled while he waits here has ended them, too, before he goes.
    """
    pending = set(tasks)
    cancelled: asyncio.CancelledError | None = None
    for _ in range(STOP_ATTEMPTS):
        pending = {task for task in pending if not task.done()}
        for task in pending:
            task.cancel()
        if pending:
            try:
                await asyncio.wait(pending, timeout=STOP_SECONDS)
            except asyncio.CancelledError as error:
                cancelled = error
    for task in pending:
        if not task.done():
            log.error("work did not end", work=task.get_name())
    if cancelled:
        raise cancelled


def heed_cancellation() -> None:
    """Waiting for a connection of the pool can swallow a cancellation: asyncio.wait_for does, before Python 3.12."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
