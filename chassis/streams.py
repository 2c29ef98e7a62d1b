"""Commands carried out: load a stream, fold it, decide, append; again when somebody else was faster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic

from chassis.decider import C, Decider, Do, S
from chassis.errors import Conflict, PreconditionFailed, Rejected
from chassis.keyring import Sealer
from chassis.log import Append, CommandKey, Connection, EventLog, NewEvent, Refused, Repeated, shard_of
from contracts.base import Event
from contracts.envelope import Envelope, Metadata, Record
from contracts.ids import Position, stream

Clock = Callable[[], datetime]

ATTEMPTS = 8


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Request:
    """What accompanies a command: who and why, the key that makes it happen once, and the version it was meant for."""

    metadata: Metadata = field(default_factory=Metadata)
    key: CommandKey | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command brought about. `position` is where a view must have come to show it."""

    position: Position
    version: int
    events: tuple[Event, ...]
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Loaded(Generic[S]):
    """The state of a stream, its version, and where its last event stands."""

    state: S
    version: int
    position: Position


class Streams:
    """Carries out commands on the streams of one service."""

    def __init__(self, log: EventLog, sealer: Sealer, clock: Clock = utc_now) -> None:
        self.log = log
        self._sealer = sealer
        self.clock = clock

    async def history(self, name: str) -> list[Envelope]:
        """All events of a stream, opened."""
        return await self._sealer.open((await self.log.load([name])).get(name, ()))

    async def load(self, decider: Decider[C, S], id_: str) -> Loaded[S]:
        """The state of a stream now."""
        name = stream(decider.kind, id_)
        return await self._fold(decider, name, (await self.log.load([name])).get(name, ()))

    async def execute(self, decider: Decider[C, S], id_: str, command: C, request: Request | None = None) -> Outcome:
        """Decides on the state now and appends what follows.

        Raises Rejected when the rules refuse, PreconditionFailed when the stream is not at the expected version, and
        Conflict when others were faster `ATTEMPTS` times. A key that was used before yields what it had yielded.
        """
        request = request or Request()
        name = stream(decider.kind, id_)
        refused = Refused(name, 0, 0)
        for _ in range(ATTEMPTS):
            loaded = await self.load(decider, id_)
            try:
                if request.expected_version not in {None, loaded.version}:
                    raise PreconditionFailed(name, request.expected_version or 0, loaded.version)
                events = tuple(decider.decide(command, loaded.state))
            except (Rejected, PreconditionFailed):
                if repeated := await self._repeated(request.key):
                    return repeated
                raise
            if not events:
                return await self._repeated(request.key) or Outcome(loaded.position, loaded.version, ())
            encoded = await self._encode(events, request.metadata)
            match await self.log.append(Append(name, loaded.version, encoded, self.clock(), request.key)):
                case Refused() as refused:
                    continue
                case Repeated() as repetition:
                    return await self._replay(repetition, request.key)
                case appended:
                    return Outcome(appended.position, appended.version, events)
        raise Conflict(name, refused.expected, refused.actual)

    async def execute_all(self, commands: Sequence[Do[Any, Any]], connection: Connection) -> list[Outcome | Rejected]:
        """Carries out commands one after the other and appends everything at once, in the given transaction.

        A refusal is returned in the command's place. Raises Conflict when a stream moved on meanwhile: the
        transaction must then be rolled back and tried again.
        """
        names = [do.stream for do in commands]
        histories = await self.log.load(sorted(set(names)), connection)
        loaded: dict[str, Loaded[Any]] = {}
        new: dict[str, list[tuple[Event, Metadata]]] = {}
        results: list[Outcome | Rejected] = []
        for name, do in zip(names, commands, strict=True):
            now = loaded.get(name) or await self._fold(do.decider, name, histories.get(name, ()))
            try:
                events = tuple(do.decider.decide(do.command, now.state))
            except Rejected as rejected:
                results.append(rejected)
                continue
            version = now.version + len(events)
            loaded[name] = Loaded(do.decider.fold(now.state, events), version, now.position)
            new.setdefault(name, []).extend((event, do.metadata) for event in events)
            results.append(Outcome(now.position, version, events))
        positions = await self._append_all(new, loaded, connection)
        return [
            Outcome(positions[name], result.version, result.events)
            if isinstance(result, Outcome) and name in positions
            else result
            for name, result in zip(names, results, strict=True)
        ]

    async def _append_all(
        self, new: dict[str, list[tuple[Event, Metadata]]], loaded: dict[str, Loaded[Any]], connection: Connection
    ) -> dict[str, Position]:
        flat = [(name, event, metadata) for name, events in new.items() for event, metadata in events]
        encoded: dict[str, list[NewEvent]] = {}
        for (name, event, metadata), data in zip(
            flat, await self._sealer.encode([event for _, event, _ in flat]), strict=True
        ):
            encoded.setdefault(name, []).append(NewEvent(event.type, data, metadata))
        now = self.clock()
        appends = [
            Append(name, loaded[name].version - len(events), tuple(events), now) for name, events in encoded.items()
        ]
        positions: dict[str, Position] = {}
        for result in await self.log.append_all(appends, connection) if appends else ():
            if isinstance(result, Refused):
                raise Conflict(result.stream, result.expected, result.actual)
            positions[appends[len(positions)].stream] = result.position
        return positions

    async def _fold(self, decider: Decider[C, S], name: str, records: Sequence[Record]) -> Loaded[S]:
        if not records:
            shard = shard_of(name, self.log.shards)
            return Loaded(decider.initial, 0, Position(self.log.service, shard, 0))
        state = decider.fold(decider.initial, [envelope.event for envelope in await self._sealer.open(records)])
        return Loaded(state, records[-1].version, records[-1].position)

    async def _encode(self, events: Sequence[Event], metadata: Metadata) -> tuple[NewEvent, ...]:
        encoded = await self._sealer.encode(events)
        return tuple(NewEvent(event.type, data, metadata) for event, data in zip(events, encoded, strict=True))

    async def _repeated(self, key: CommandKey | None) -> Outcome | None:
        repetition = await self.log.command(key.key) if key else None
        return await self._replay(repetition, key) if repetition else None

    async def _replay(self, repetition: Repeated, key: CommandKey | None) -> Outcome:
        if key is None or repetition.command.fingerprint != key.fingerprint:
            raise Rejected("idempotency_key_reused")
        records = (await self.log.load([repetition.stream]))[repetition.stream]
        envelopes = await self._sealer.open(records[repetition.first_version - 1 : repetition.last_version])
        events = tuple(envelope.event for envelope in envelopes)
        return Outcome(repetition.position, repetition.last_version, events, repeated=True)
