"""`portico up`: how soon it is ready, what it keeps in memory, what it does when nothing happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import psutil

from bench.harness import Contender, Figure, Row, Stopwatch
from bench.scene import Scene
from cli.stack.background import started
from cli.stack.report import resident_bytes
from cli.stack.state import State

SETTLING = 2
"""So many times as long as it is watched it is left alone before: a JVM goes on compiling what its start was."""


def _processor_seconds(pid: int) -> float:
    root = psutil.Process(pid)
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


@asynccontextmanager
async def _up(scene: Scene) -> AsyncIterator[Sequence[Contender]]:
    """The first start makes the data folder and is not counted, unless it is the only one of a smoke run."""
    state = State(scene.folder / "up")
    idle = scene.sizes.idle_seconds
    if scene.sizes.rounds > 1:
        with started(state, "--port-base", "0"):
            pass

    async def once() -> Sequence[float]:
        watch = Stopwatch()
        with started(state, "--port-base", "0") as record:
            ready = watch.seconds
            await asyncio.sleep(SETTLING * idle)
            before, at = _processor_seconds(record.pid), time.perf_counter()
            await asyncio.sleep(idle)
            busy = (_processor_seconds(record.pid) - before) / (time.perf_counter() - at)
            return ready, resident_bytes(record.pid) / 2**30, busy * 100

    yield (Contender("Portico, seven services, PostgreSQL, Kafka", once),)


ROWS = (
    Row(
        "up",
        "`portico up`, warm",
        "memory shared by processes counts once; idle after it has settled",
        (
            Figure("ready", "s", lower_is_better=True, at_most=20),
            Figure("resident", "GiB", lower_is_better=True, at_most=1.5),
            Figure("idle processor", "% of a core", lower_is_better=True, at_most=15),
        ),
        _up,
    ),
)
