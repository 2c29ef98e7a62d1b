"""Work ends when it must, whatever swallows a cancellation on the way."""

import asyncio
from contextlib import suppress

import pytest

from chassis.tasks import ended, heed_cancellation


class Stubborn:
    """Work for ever that swallows its first cancellation, as asyncio.wait_for may."""

    def __init__(self) -> None:
        self.begun, self.swallowed = asyncio.Event(), asyncio.Event()
        self.is_over = False

    async def run(self) -> None:
        self.begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Future()
        self.swallowed.set()
        try:
            await asyncio.Future()
        finally:
            self.is_over = True


async def test_whoever_is_cancelled_while_he_ends_work_has_ended_it() -> None:
    work = Stubborn()
    task = asyncio.create_task(work.run())
    await work.begun.wait()
    ending = asyncio.create_task(ended([task]))
    await work.swallowed.wait()
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert work.is_over


async def test_a_swallowed_cancellation_is_noticed() -> None:
    begun, went_on = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Future()
        heed_cancellation()
        went_on.set()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not went_on.is_set()
