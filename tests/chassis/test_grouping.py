"""Loads that meet share a query, each gets its own, and an error reaches everybody it concerns."""

import asyncio

import pytest

from chassis.grouping import KEYS, LOADERS, Grouped


class Store:
    """Values by key, and how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.broken = False

    async def fetch(self, keys: list[str]) -> dict[str, int]:
        self.asked.append(keys)
        await asyncio.sleep(0)
        if self.broken:
            raise OSError("away")
        return {key: int(key) for key in keys if key.isdigit()}


async def test_loads_that_meet_share_a_query() -> None:
    store = Store()
    grouped = Grouped(store.fetch)
    answers = await asyncio.gather(*(grouped.load([str(n), "none"]) for n in range(100)))
    assert answers == [{str(n): n} for n in range(100)]
    assert len(store.asked) == 1
    assert await grouped.load(["7"]) == {"7": 7}
    assert len(store.asked) == 2


async def test_a_query_has_a_limit_and_a_large_load_its_own() -> None:
    store = Store()
    grouped = Grouped(store.fetch)
    large = [str(n) for n in range(2 * KEYS)]
    answers = await asyncio.gather(*(grouped.load(large) for _ in range(2 * LOADERS)))
    assert all(answer == {key: int(key) for key in large} for answer in answers)
    assert len(store.asked) == 2 * LOADERS


async def test_nothing_is_asked_for_nothing() -> None:
    store = Store()
    assert await Grouped(store.fetch).load([]) == {}
    assert store.asked == []


async def test_an_error_reaches_those_who_wait_and_nobody_else() -> None:
    store = Store()
    grouped = Grouped(store.fetch)
    store.broken = True
    failed = await asyncio.gather(*(grouped.load([str(n)]) for n in range(5)), return_exceptions=True)
    assert all(isinstance(error, OSError) for error in failed)
    store.broken = False
    with pytest.raises(asyncio.CancelledError):
        await _cancelled(asyncio.create_task(grouped.load(["1"])))
    assert await grouped.load(["2"]) == {"2": 2}


async def _cancelled(task: asyncio.Task[dict[str, int]]) -> None:
    await asyncio.sleep(0)
    task.cancel()
    await task
