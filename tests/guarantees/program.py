"""A small service of counters as a process of its own, which tests kill, stop and continue.

`python -m tests.guarantees.program` runs it from its environment, as `portico serve` runs a real one: PORTICO_... and
GUARANTEE_PARTS, which names what works in it: relay, view, reaction, slow, or the service notifications.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Header, Response

from chassis import database, failpoints, relay
from chassis.http import Limits
from chassis.log import CommandKey, Connection
from chassis.reactions import Reaction
from chassis.service import Service, serve
from chassis.settings import Settings
from chassis.streams import Request as Command
from chassis.texts import Texts
from contracts.base import Event
from contracts.envelope import Envelope
from services.notifications import app as notifications
from tests.chassis.events import COUNTER, COUNTERS, Increased, echo

PARTS = "GUARANTEE_PARTS"
CLOCK_SECONDS = "GUARANTEE_CLOCK_SECONDS"
ANSWER_SECONDS = "GUARANTEE_ANSWER_SECONDS"
HASTE = "GUARANTEE_HASTE"
SLOW_SECONDS = 0.05
PR_SET_PDEATHSIG = 1

gc.freeze()  # so that no forked process goes through all that it inherits


class SlowHandler:
    """Takes its time for every event, and notes each one that it has done."""

    name = "slow"
    events: tuple[type[Event], ...] = (Increased,)
    durable = True

    async def prepare(self, connection: Connection) -> None:
        await connection.execute("CREATE TABLE IF NOT EXISTS slow_done (position text NOT NULL)")

    async def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            await connection.execute("INSERT INTO slow_done VALUES (%s)", (str(envelope.position),))
            await asyncio.sleep(SLOW_SECONDS)


class _Silent(relay.Relay):
    """Leads nothing: for a process that only consumes."""

    async def run(self) -> None:
        self.connected = True
        await asyncio.Event().wait()


def clock() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=float(os.environ.get(CLOCK_SECONDS, "0")))


def hurry(times: int) -> None:
    """Whoever stands still is declared dead so many times sooner; what would never end still does not."""
    database.TRANSACTION_IDLE_MS //= times
    relay.SESSION_SECONDS //= times


def create(settings: Settings, parts: Sequence[str]) -> Service:
    if "notifications" in parts:
        return notifications.create(settings, clock=clock)
    limits = Limits(answer_seconds=float(os.environ.get(ANSWER_SECONDS, "30")))
    service = Service("billing", settings, Texts({}), clock=clock, limits=limits)
    if "view" in parts:
        service.view(COUNTERS)
    if "reaction" in parts:
        service.react(Reaction("echo", (Increased,), echo))
    if "slow" in parts:
        service.consume(SlowHandler())
    if "relay" not in parts:
        service.relay = _Silent(service.log, settings)

    @service.http.post("/counters/{id_}")
    async def increase(id_: str, response: Response, idempotency_key: Annotated[str | None, Header()] = None) -> None:
        key = CommandKey(idempotency_key, "f") if idempotency_key else None
        outcome = await service.streams.execute(COUNTER, id_, 1, Command(key=key))
        response.headers["Portico-Position"] = str(outcome.position)

    return service


def main(environment: Mapping[str, str], output: str) -> None:
    """The entry of a forked process: its settings and its output are its own."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.update(environment)
    failpoints.arm(os.environ.get(failpoints.VARIABLE, ""))
    run()


def run() -> None:
    hurry(int(os.environ.get(HASTE, "1")))
    settings = Settings()
    serve(create(settings, os.environ[PARTS].split(",")), settings)


if __name__ == "__main__":
    run()
