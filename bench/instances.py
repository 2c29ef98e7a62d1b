"""One, two and four instances of a service: nothing is lost, the work is shared, and what a rebalance costs.

`python -m bench.instances` starts PostgreSQL and Kafka, and takes about four minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

import httpx
import psycopg
from rich.console import Console
from rich.table import Table

from bench.harness import Stopwatch
from bench.processes import Authority, authority, service_program
from bench.scene import QUICK, SHARDS, Scene, Site, set_up
from bench.table import machine
from bench.workload import AMOUNTS, KIND, Filling, appends, change, fill, id_of
from chassis.auth import Principal
from chassis.database import open_pool
from chassis.postgres_log import PostgresLog
from chassis.service import Service, serve
from chassis.settings import Settings
from chassis.testing import eventually
from chassis.texts import Texts
from cli.stack.ports import free_port
from cli.stack.programs import Program, spawn, stop

INSTANCES = (1, 2, 4)
BACKLOG = 40_000
STREAMS = 2_000
RATE = 200
SETTLED_SECONDS = 3.0
LIMIT_SECONDS = 120.0
POLL_SECONDS = 0.02
OPERATOR = Principal("operator", "bench")
HEADS = "SELECT shard, sequence FROM heads"
CHECKPOINTS = "SELECT partition, sequence FROM checkpoints WHERE consumer = %s"
FOLDED = f"SELECT coalesce(sum((doc->>'changes')::int), 0) FROM {AMOUNTS.table}"  # noqa: S608 a view's name


@dataclass(frozen=True)
class Finding:
    """What so many instances showed. Stalls are the longest time for which a partition that was behind stood still."""

    instances: int
    events_per_second: float
    partitions: tuple[int, ...]
    join_stall: float
    leave_stall: float
    kill_stall: float
    events: int
    folded: int


def create(settings: Settings) -> Service:
    """A service that keeps one view of its own events."""
    service = Service("billing", settings, Texts({}))
    service.view(AMOUNTS)
    return service


class Watch:
    """Looks at heads and checkpoints all the time, and remembers how long a partition that was behind stood still."""

    def __init__(self, url: str) -> None:
        self.longest = 0.0
        self._url = url

    async def run(self, over: asyncio.Event) -> None:
        moved: dict[int, tuple[int, float]] = {}
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
            while not over.is_set():
                heads: dict[int, int] = dict(await (await connection.execute(HEADS)).fetchall())
                there: dict[int, int] = dict(
                    await (await connection.execute(CHECKPOINTS, (AMOUNTS.consumer,))).fetchall()
                )
                now = time.monotonic()
                for shard, head in heads.items():
                    at = there.get(shard, 0)
                    if shard not in moved or moved[shard][0] != at or at == head:
                        moved[shard] = (at, now)
                    self.longest = max(self.longest, now - moved[shard][1])
                await asyncio.sleep(POLL_SECONDS)


Work = Callable[[asyncio.Event], Awaitable[None]]


@asynccontextmanager
async def beside(work: Work) -> AsyncIterator[None]:
    """Something that goes on for the length of a block, and ends by itself when it is told to."""
    over = asyncio.Event()
    task = asyncio.ensure_future(work(over))
    try:
        yield
    finally:
        over.set()
        await task


async def traffic(log: PostgresLog, over: asyncio.Event) -> None:
    """Appends an event to one stream after the other, so many a second."""
    started, number = time.monotonic(), 0
    while not over.is_set():
        version, stream = divmod(number, STREAMS)
        await log.append(appends([id_of(BACKLOG + stream)], version, 1)[0])
        number += 1
        await asyncio.sleep(max(0.0, started + number / RATE - time.monotonic()))


async def find(scene: Scene, issuer: Authority, instances: int) -> Finding:
    """Lets so many instances catch up, and then one more come, go and be killed while events flow."""
    site = await scene.site(f"instances{instances}", issuer.url)
    url = site.urls["billing"]
    fill(url, Filling(KIND, change(id_of(0)), BACKLOG))
    command = (sys.executable, "-m", "bench.instances", "--serve")
    with ExitStack() as stack:
        ports = [free_port() for _ in range(instances)]
        programs = [service_program(site, "billing", scene.folder, command, port) for port in ports]
        for program in programs:
            stack.callback(functools.partial(stop, spawn(program), program))
        rate = await caught_up(url)
        shares = await shared(issuer, ports)
        async with open_pool(url, 4) as pool:
            log = await PostgresLog.connect("billing", pool)
            async with beside(functools.partial(traffic, log)):
                joined = await stall(url, functools.partial(one_more, site, scene, command, Signals.SIGTERM))
                killed = await stall(url, functools.partial(one_more, site, scene, command, Signals.SIGKILL))
            heads = sum((await log.heads()).values())
        return Finding(instances, rate, shares, joined[0], joined[1], killed[1], heads, await folded(url, heads))


async def caught_up(url: str) -> float:
    """Events per second from the log over the topic into the view, from the first that is there."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:

        async def done() -> int:
            rows = await (await connection.execute(CHECKPOINTS, (AMOUNTS.consumer,))).fetchall()
            return int(sum(sequence for _, sequence in rows))

        async def all_done() -> bool:
            return await done() >= BACKLOG

        first = await eventually(done, LIMIT_SECONDS)
        watch = Stopwatch()
        await eventually(all_done, LIMIT_SECONDS)
        return (BACKLOG - first) / watch.seconds


async def shared(issuer: Authority, ports: list[int]) -> tuple[int, ...]:
    """How many partitions each instance has, once all of them are given out."""
    async with httpx.AsyncClient(headers=issuer.headers(OPERATOR), timeout=5) as client:

        async def shares() -> tuple[int, ...]:
            answers = [(await client.get(f"http://127.0.0.1:{port}/ops/status")).json() for port in ports]
            return tuple(len(answer["consumers"]) for answer in answers)

        async def given_out() -> tuple[int, ...]:
            found = await shares()
            return found if sum(found) == SHARDS and max(found) - min(found) <= 1 else ()

        return await eventually(given_out, LIMIT_SECONDS)


async def stall(url: str, act: Callable[[Callable[[], None]], Awaitable[None]]) -> tuple[float, float]:
    """The longest stall before and after `act` calls back half-way."""
    watch = Watch(url)
    stalls: list[float] = []

    def half() -> None:
        stalls.append(watch.longest)
        watch.longest = 0.0

    async with beside(watch.run):
        await asyncio.sleep(SETTLED_SECONDS)
        await act(half)
    return stalls[0], watch.longest


async def one_more(site: Site, scene: Scene, command: tuple[str, ...], end: Signals, half: Callable[[], None]) -> None:
    """Another instance comes, stays until everything is settled, and ends."""
    program = service_program(site, "billing", scene.folder, command, free_port())
    process = spawn(program)
    try:
        await eventually(functools.partial(_ready, program), LIMIT_SECONDS)
        await asyncio.sleep(SETTLED_SECONDS)
        half()
        process.send_signal(end)
        await asyncio.to_thread(process.wait, LIMIT_SECONDS)
        await asyncio.sleep(site.shared.consumer_session_ms / 1000 + 2 * SETTLED_SECONDS)
    finally:
        stop(process, program)


async def _ready(program: Program) -> bool:
    return await asyncio.to_thread(program.ready)


async def folded(url: str, events: int) -> int:
    """How many events the view's documents have counted: exactly as many as there are, or something is wrong."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:

        async def there() -> int:
            return int((await (await connection.execute(FOLDED)).fetchone() or (0,))[0])

        async def complete() -> bool:
            return await there() >= events

        with suppress(TimeoutError, AssertionError):
            await eventually(complete, LIMIT_SECONDS)
        return await there()


def show(findings: list[Finding]) -> None:
    table = Table(title=f"{machine()}\n{BACKLOG:,} events to catch up with, then {RATE} a second; {SHARDS} partitions")
    for heading in (
        *("instances", "caught up, events/s", "partitions each"),
        *("stall, one joins", "one leaves", "one is killed", "events", "folded"),
    ):
        table.add_column(heading, justify="right")
    for found in findings:
        stalls = (f"{seconds:.2f} s" for seconds in (found.join_stall, found.leave_stall, found.kill_stall))
        shares = " + ".join(map(str, found.partitions))
        counts = (f"{found.events:,}", f"{found.folded:,}")
        table.add_row(str(found.instances), f"{found.events_per_second:,.0f}", shares, *stalls, *counts)
    Console(width=150).print(table)


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="portico-bench-") as folder,
        authority() as issuer,
        set_up(Path(folder), QUICK, install=False) as scene,
    ):
        show([asyncio.run(find(scene, issuer, instances)) for instances in INSTANCES])


if __name__ == "__main__":
    options = argparse.ArgumentParser(prog="bench.instances", description=__doc__)
    options.add_argument("--serve", metavar="SERVICE", help="be one of the instances")
    if options.parse_args().serve:
        SETTINGS = Settings()
        serve(create(SETTINGS), SETTINGS)
    else:
        main()
