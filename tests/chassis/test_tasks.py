"""Work ends when it must, whatever swallows a cancellation on the way."""

import asyncio
from contextlib import suppress

import pytest

from chassis.tasks import ended, heed_cancellation


async def stubborn(ends: list[str]) -> None:
    """Swallows one cancellation, as asyncio.wait_for may."""
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(60)
    try:
        await asyncio.sleep(60)
    finally:
        ends.append("ended")


async def test_whoever_is_cancelled_while_he_ends_work_has_ended_it() -> None:
    ends: list[str] = []
    work = asyncio.create_task(stubborn(ends))
    await asyncio.sleep(0)
    ending = asyncio.create_task(ended([work]))
    await asyncio.sleep(0.01)
    assert not work.done()
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert ends == ["ended"]


async def test_a_swallowed_cancellation_is_noticed() -> None:
    async def work() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        heed_cancellation()
        pytest.fail("goes on although it was cancelled")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
