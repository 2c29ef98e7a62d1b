"""Keeps programs running: starts them, waits until they are ready, starts again what dies, and stops all in order."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from cli.stack import guard
from cli.stack.programs import Program, end_group, last_lines, not_ready, spawn, stop

POLL_SECONDS = 0.5
READY_POLL_SECONDS = 0.1
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
STEADY_SECONDS = 20.0
START_ATTEMPTS = 3
LOG_LIMIT_BYTES = 5_000_000
LOG_CHECK_SECONDS = 10.0


@dataclass
class Supervised:
    """A program under supervision. Stages are started in rising order and stopped in falling order."""

    program: Program
    stage: int
    process: subprocess.Popen[bytes] | None = None
    ready_at: float | None = None
    failures: int = 0
    ready_once: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """`say` gets one clear line per event worth telling; `children` is the file that the guard reads."""

    def __init__(self, children: Path, say: Callable[[str], None]) -> None:
        self._children = children
        self._say = say
        self._supervised: list[Supervised] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def pids(self) -> dict[str, int]:
        return {one.program.name: one.process.pid for one in self._supervised if one.process}

    async def start(self, stage: int, programs: Sequence[Program]) -> None:
        """Starts programs side by side and returns when all are ready; a Problem says why one is not."""
        started = [Supervised(program, stage) for program in programs]
        self._supervised += started
        watches = [asyncio.create_task(self._keep(one), name=one.program.name) for one in started]
        self._tasks += watches
        for one, watch in zip(started, watches, strict=True):
            ready = asyncio.create_task(one.ready_once.wait())
            await asyncio.wait([ready, watch], return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                ready.cancel()
                await watch

    async def run_until(self, stopped: asyncio.Event) -> None:
        """Supervises until told to stop; keeps the logs bounded meanwhile."""
        stop = asyncio.create_task(stopped.wait())
        while not stop.done():
            for one in self._supervised:
                bound_log(one.program.log)
            done, _ = await asyncio.wait(
                [stop, *self._tasks], timeout=LOG_CHECK_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()

    async def stop(self) -> None:
        """Ends all programs, the last stage first; those of a stage side by side."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        in_order = sorted(self._supervised, key=lambda one: -one.stage)
        for _, stage in groupby(in_order, key=lambda one: one.stage):
            living = [(one.process, one.program) for one in stage if one.process]
            await asyncio.gather(*(asyncio.to_thread(stop, process, program) for process, program in living))
        self._children.unlink(missing_ok=True)
        if self._guard and self._guard.stdin:
            self._guard.stdin.close()
            await asyncio.to_thread(self._guard.wait, 10)

    async def _keep(self, one: Supervised) -> None:
        """One life after another, with growing pauses; a program that was never ready is given up after a few."""
        while True:
            reason = await self._one_life(one, self._spawn(one))
            lasted = one.ready_at is not None and time.monotonic() - one.ready_at >= STEADY_SECONDS
            one.failures = 1 if lasted else one.failures + 1
            if not one.ready_once.is_set() and one.failures >= START_ATTEMPTS:
                raise not_ready(one.program, reason)
            delay = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** (one.failures - 1))
            why = "" if one.ready_at else _last_line(one.program.log)
            self._say(f"{one.program.name} {reason}; it is started again in {delay:.1f} s.{why}")
            await asyncio.sleep(delay)

    async def _one_life(self, one: Supervised, process: subprocess.Popen[bytes]) -> str:
        born = time.monotonic()
        one.ready_at = None
        while process.poll() is None:
            if one.ready_at is None and await asyncio.to_thread(one.program.ready):
                one.ready_at = time.monotonic()
                if one.ready_once.is_set():
                    self._say(f"{one.program.name} is ready again after {one.ready_at - born:.1f} s.")
                one.ready_once.set()
            if one.ready_at is None and time.monotonic() - born > one.program.ready_seconds:
                await asyncio.to_thread(stop, process, one.program)
                return f"was not ready within {one.program.ready_seconds:.0f} s"
            await asyncio.sleep(POLL_SECONDS if one.ready_at else READY_POLL_SECONDS)
        end_group(process.pid)
        return _ending(process.returncode)

    def _spawn(self, one: Supervised) -> subprocess.Popen[bytes]:
        if self._guard is None:
            self._guard = _start_guard(self._children)
        process = one.process = spawn(one.program)
        living = [
            guard.describe(o.program.name, o.process.pid, -o.stage, o.program.stop_signal, o.program.grace_seconds)
            for o in self._supervised
            if o.process
        ]
        guard.remember(self._children, [child for child in living if child])
        return process


def bound_log(log: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Moves a log that grew too long aside (one generation is kept). Its writer appends, so it goes on at the start."""
    if log.exists() and log.stat().st_size > limit_bytes:
        log.with_suffix(f"{log.suffix}.1").write_bytes(log.read_bytes())
        os.truncate(log, 0)


def _start_guard(children: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "cli.stack.guard", str(children.absolute())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _ending(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _last_line(log: Path) -> str:
    line = last_lines(log, 1).strip()
    return f" Its last words: {line}" if line else ""
