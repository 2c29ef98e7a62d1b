"""A tiny domain to test the mechanisms with: counters that are increased, some of them poisonous."""

from __future__ import annotations

from pydantic import BaseModel

from chassis.decider import Decider, Do
from chassis.views import View
from contracts.base import Event, Personal, known
from contracts.envelope import Envelope
from contracts.ids import stream_id


class Increased(Event, service="billing", wire_name="TestIncreased"):
    """A counter was increased."""

    by: int


class Greeted(Event, service="billing", wire_name="TestGreeted"):
    """Somebody was greeted by name."""

    person: str
    name: Personal[str]


class Counter(BaseModel):
    """What the counters' view knows."""

    total: int = 0
    events: int = 0
    names: list[str | None] = []


def decide(by: int, total: int) -> list[Event]:
    return [Increased(by=by)] if by else []


def evolve(total: int, event: Event) -> int:
    return total + event.by if isinstance(event, Increased) else total


COUNTER = Decider("counter", 0, decide, evolve)
ECHO = Decider("echo", 0, decide, evolve)
POISON = 666


def fold(counter: Counter | None, envelope: Envelope) -> Counter:
    counter = counter or Counter()
    match envelope.event:
        case Increased(by=by):
            if by == POISON:
                raise ZeroDivisionError("poison")
            return Counter(total=counter.total + by, events=counter.events + 1, names=counter.names)
        case Greeted(name=name):
            return counter.model_copy(update={"names": [*counter.names, known(name)]})
    raise AssertionError(envelope)


def key(envelope: Envelope) -> str | None:
    return None if envelope.stream.startswith("echo/") else stream_id(envelope.stream)


COUNTERS = View("counters", 1, Counter, (Increased, Greeted), key, fold, {"total": "((doc->>'total')::int)"})


def echo(envelope: Envelope) -> list[Do[int, int]]:
    """Every increase of a counter is echoed in another stream."""
    if not isinstance(envelope.event, Increased) or envelope.stream.startswith("echo/"):
        return []
    return [Do(ECHO, stream_id(envelope.stream), envelope.event.by)]
