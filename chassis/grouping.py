"""Loads that meet are made by one query: what many requests ask at the same time costs one round trip."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

V = TypeVar("V")
Fetch = Callable[[list[str]], Awaitable[dict[str, V]]]

LOADERS = 3
KEYS = 500


class Grouped(Generic[V]):
    """Values by key. Up to `LOADERS` queries run at a time; keys that are asked for meanwhile share the next one."""

    def __init__(self, fetch: Fetch[V]) -> None:
        self._fetch = fetch
        self._waiting: deque[tuple[Sequence[str], asyncio.Future[dict[str, V]]]] = deque()
        self._loaders = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self, keys: Sequence[str]) -> dict[str, V]:
        """The values of these keys; one that has none is left out. Raises what the query raises."""
        if not keys:
            return {}
        future: asyncio.Future[dict[str, V]] = asyncio.get_running_loop().create_future()
        self._waiting.append((keys, future))
        if self._loaders < LOADERS:
            self._loaders += 1
            task = asyncio.create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _drain(self) -> None:
        try:
            await asyncio.sleep(0)
            while self._waiting:
                await self._load(self._take())
        finally:
            self._loaders -= 1

    def _take(self) -> list[tuple[Sequence[str], asyncio.Future[dict[str, V]]]]:
        group = [self._waiting.popleft()]
        wanted = len(group[0][0])
        while self._waiting and wanted + len(self._waiting[0][0]) <= KEYS:
            wanted += len(self._waiting[0][0])
            group.append(self._waiting.popleft())
        return group

    async def _load(self, group: Sequence[tuple[Sequence[str], asyncio.Future[dict[str, V]]]]) -> None:
        try:
            found = await self._fetch(list({key for keys, _ in group for key in keys}))
        except Exception as error:
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
            return
        for keys, future in group:
            if not future.done():
                future.set_result({key: found[key] for key in keys if key in found})
