"""One service put together: database, log, relay, consumers, HTTP. What `services/NAME/app.py` wires, this runs."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any

import psycopg
import structlog
import uvicorn
from fastapi import FastAPI, Header, Request

from chassis import history, operations, telemetry, view_tables
from chassis.applier import Applier
from chassis.auth import Keys, RemoteKeys, TokenVerifier
from chassis.bus import Topics
from chassis.consumer import Consumer, Reading
from chassis.database import Pool, make_pool, opened
from chassis.errors import Rejected
from chassis.http import Limits, add_header, create_app
from chassis.keyring import PostgresKeyring, Sealer
from chassis.postgres_log import PostgresLog
from chassis.reactions import Handler, Reaction, ReactionHandler
from chassis.rebuilds import Rebuilds
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.sources import ForeignHandler, ForeignSource, LogSource
from chassis.streams import Clock, Streams, utc_now
from chassis.tasks import Work, ended, restarted
from chassis.texts import Texts
from chassis.timers import Timer, TimerHandler, Timers, development_router
from chassis.views import D, Documents, View, ViewHandler, ViewReader
from contracts.ids import Position

log = structlog.get_logger()

MAXIMUM_POSITIONS = 8
GARBAGE_THRESHOLDS = (20_000, 20, 100)


class Service:
    """A service before and while it runs. Everything is registered before the start."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        texts: Texts,
        *,
        keys: Keys | None = None,
        clock: Clock = utc_now,
        limits: Limits | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.pool: Pool = make_pool(settings.database_url.get_secret_value(), settings.database_connections)
        self.log = PostgresLog(name, self.pool, settings.shards)
        self._documents = Documents(self.pool)
        self.keyring = PostgresKeyring(self.pool, settings.master_key_bytes)
        self.sealer = Sealer(self.keyring)
        self.streams = Streams(self.log, self.sealer, clock)
        self.topics = Topics(settings)
        self.relay = Relay(self.log, settings)
        self.log.appended = self.relay.wake
        self.consumers: list[Consumer] = []
        self._reading = Reading(name, settings, self.pool)
        self.rebuilds = Rebuilds(settings, self._reading, self.log, self.sealer)
        verifier = TokenVerifier(keys or RemoteKeys(settings.identity_url), settings.token_issuer)
        self.http: FastAPI = create_app(name, texts, verifier, limits=limits)
        self.http.include_router(operations.router(self))
        self.http.include_router(history.router(self))
        self.http.router.lifespan_context = self._lifespan
        self.timers = Timers(self.pool, self.streams)
        self.timers.after_commit = self.relay.wake
        self._background: list[tuple[str, Work, bool]] = []
        self._publishes = False

    def view(self, view: View[D]) -> ViewReader[D]:
        """Keeps a view up to date; returns what reads it."""
        self.consume(ViewHandler(view))
        return ViewReader(view, self.pool, self._documents)

    def react(self, reaction: Reaction) -> None:
        """Carries out the commands that follow from events."""
        self.consume(ReactionHandler(reaction, self.streams))

    def timer(self, timer: Timer) -> None:
        """Sets and cancels timers by events, and carries out what is due."""
        if not self.timers.kinds:
            self.background("timers", self.timers.run)
            router = development_router(self.timers, self._timers_set, self.settings.development)
            self.http.include_router(router)
        self.timers.kinds[timer.name] = timer
        self.consume(TimerHandler(timer))

    def consume(self, handler: Handler) -> None:
        """Applies events by a handler of the service's own."""
        if isinstance(handler, ViewHandler):
            self.rebuilds.handlers[handler.view.name] = handler
        self._add(LogSource(handler, self.sealer))

    def consume_foreign(self, topic: str, handler: ForeignHandler) -> None:
        """Applies the records of a topic that others write."""
        self._publishes = True
        self._add(ForeignSource(topic, handler))

    def publish(self) -> Topics:
        """For services that write to topics which carry no log."""
        self._publishes = True
        return self.topics

    def background(self, name: str, work: Work, *, once: bool = False) -> None:
        """Runs beside the service until it stops, or until it is `once` done; started again when it fails."""
        self._background.append((name, work, once))

    def freshness(self, *views: View[Any]) -> Callable[..., Awaitable[None]]:
        """A dependency that lets a reader see his own write: waits, bounded, for the positions that he names."""
        waiting = [consumer for view in views for consumer in self.consumers if consumer.source.name == view.consumer]

        async def wait(
            request: Request,
            portico_position: Annotated[
                str | None,
                Header(description="What a command answered; the page shows it", examples=["billing/2:1234"]),
            ] = None,
        ) -> None:
            waits = [
                consumer.checkpoints.wait(self.settings.topic(position.service), position.shard, position.sequence)
                for position in _positions(portico_position)
                for consumer in waiting
                if position.service in consumer.source.topics
            ]
            if portico_position:
                reached = all(await asyncio.gather(*waits))
                add_header(request, "Portico-Position-Reached", str(reached).lower())

        return wait

    async def readiness(self) -> dict[str, bool]:
        """Which parts are at work."""
        try:
            async with self.pool.connection(2) as connection:
                await connection.execute("SELECT 1")
            database = True
        except psycopg.Error:
            database = False
        consumers = {consumer.source.name: consumer.ready for consumer in self.consumers}
        return {"database": database, "relay": self.relay.connected, **consumers}

    async def status(self) -> dict[str, Any]:
        """What operators want to know."""
        async with self.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT shard, h.sequence, r.sequence FROM heads h JOIN relay_cursors r USING (shard) ORDER BY shard"
            )
            rows = await cursor.fetchall()
        rebuilds = [view for view in await self.views() if view["rebuild"] and view["rebuild"]["ended_at"] is None]
        return {
            "service": self.name,
            "ready": all((await self.readiness()).values()),
            "relay": [
                {"shard": shard, "head": head, "published": published, "backlog": head - published}
                for shard, head, published in rows
            ],
            "consumers": [position for consumer in self.consumers for position in consumer.positions()],
            "parked": [parked for consumer in self.consumers for parked in await consumer.applier.parking.listed()],
            "rebuilds": rebuilds,
            "timers": await self.timers.status(),
        }

    async def views(self) -> list[dict[str, Any]]:
        """Every version of every view that has a table, its size and its last rebuild."""
        async with self.pool.connection() as connection:
            return await view_tables.listed(connection, [each.view for each in self.rebuilds.handlers.values()])

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The service at work for the length of the block."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(opened(self.pool))
            await self._check_shards()
            if self._publishes:
                await stack.enter_async_context(self.topics.open())
            works = [
                *(("relay", self.relay.run, False), ("rebuilds", self.rebuilds.run, False)),
                *(("feed", self._reading.feed.run, False), ("shares", self._reading.shares.run, False)),
                *((consumer.source.name, consumer.run, False) for consumer in self.consumers),
                *self._background,
            ]
            tasks = [asyncio.create_task(restarted(name, work, once=once), name=name) for name, work, once in works]
            try:
                yield
            finally:
                await ended(tasks)

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        async with self.running():
            yield

    def _add(self, source: LogSource | ForeignSource) -> None:
        applier = Applier(source, self.pool)
        applier.after_commit = self.relay.wake
        self.consumers.append(Consumer(applier, self._reading))

    async def _timers_set(self) -> None:
        """Waits, bounded, until the timers that follow from what has happened here are set."""
        heads = await self.log.heads()
        for consumer in self.consumers:
            if consumer.source.name.startswith("timer:") and self.name in consumer.source.topics:
                for shard, sequence in heads.items():
                    await consumer.checkpoints.wait(self.settings.topic(self.name), shard, sequence)

    async def _check_shards(self) -> None:
        shards = len(await self.log.heads())
        if shards != self.settings.shards:
            raise WrongShards(
                f"the log of {self.name} has {shards} shards, PORTICO_SHARDS says {self.settings.shards}: "
                "the number is fixed when a log is created"
            )


class WrongShards(Exception):
    """The settings name another number of shards than the log has."""


def _positions(header: str | None) -> list[Position]:
    """Positions of a Portico-Position header. Raises Rejected when it holds something else."""
    try:
        return [Position.parse(text) for text in (header or "").split(",") if text.strip()][:MAXIMUM_POSITIONS]
    except ValueError:
        raise Rejected("invalid_position", position=header) from None


def collect_less_often() -> None:
    """A batch is some 100,000 objects without cycles that come and go: looking for cycles so often costs a fifth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def serve(service: Service, settings: Settings) -> None:
    """Runs a service until SIGTERM or Ctrl-C: requests under way are answered, batches end or are rolled back."""
    telemetry.configure(service.name, settings)
    collect_less_often()
    uvicorn.run(
        service.http,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=10,
        lifespan="on",
    )
