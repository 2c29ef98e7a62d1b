"""What a row is, and how it is run: contenders side by side in alternating rounds, all figures kept."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from bench.scene import Scene

Measure = Callable[[], Awaitable[Sequence[float]]]
LEAST = 1e-9


@dataclass(frozen=True)
class Figure:
    """What is measured. `at_most` is a goal for Portico's own figure; a goal beside a peer is the contender's."""

    name: str
    unit: str
    lower_is_better: bool = False
    at_most: float | None = None


@dataclass(frozen=True)
class Contender:
    """Somebody who does the work of a row; `measure` does one round and returns one value per figure.

    `at_least` is how many times as good as this one Portico must be. One that cannot be measured here says why.
    """

    name: str
    measure: Measure | None
    at_least: float | None = None
    missing: str = ""
    beside: str = ""
    """For another line of Portico's own: the peer whose figure it is compared with."""

    @property
    def ours(self) -> bool:
        return self.name.startswith("Portico")


@dataclass(frozen=True)
class Row:
    """One comparison. `compare` sets the scene and yields the contenders, Portico first."""

    key: str
    title: str
    setting: str
    figures: Sequence[Figure]
    compare: Callable[[Scene], AbstractAsyncContextManager[Sequence[Contender]]]
    most_rounds: int = 99


@dataclass
class Result:
    """The samples of a row by contender, one inner list per figure."""

    row: Row
    contenders: Sequence[Contender]
    samples: dict[str, list[list[float]]] = field(default_factory=dict)
    seconds: float = 0.0

    def ratios(self, line: Contender, figure: int) -> list[float]:
        """How many times as good as its peer Portico was, round by round; nothing where there is no pair."""
        if line is self.contenders[0]:
            return []
        pair = (line.name, line.beside) if line.ours else (self.contenders[0].name, line.name)
        if not all(name in self.samples for name in pair):
            return []
        ours, theirs = (self.samples[name][figure] for name in pair)
        if self.row.figures[figure].lower_is_better:
            ours, theirs = theirs, ours
        return [mine / max(other, LEAST) for mine, other in zip(ours, theirs, strict=True)]


async def run(row: Row, scene: Scene, rounds: int, say: Callable[[str], None]) -> Result:
    """All rounds of a row. Contenders take turns, so that a slow minute of the machine hits them alike."""
    watch = Stopwatch()
    async with row.compare(scene) as contenders:
        result = Result(row, contenders)
        for contender in contenders:
            if contender.measure:
                result.samples[contender.name] = [[] for _ in row.figures]
        for number in range(1, min(rounds, row.most_rounds) + 1):
            for contender in contenders:
                if contender.measure:
                    say(f"{row.title}: round {number}, {contender.name}")
                    values = await contender.measure()
                    for samples, value in zip(result.samples[contender.name], values, strict=True):
                        samples.append(value)
    result.seconds = watch.seconds
    return result


def spread(samples: Sequence[float]) -> tuple[float, float, float]:
    """Minimum, median and maximum."""
    return min(samples), statistics.median(samples), max(samples)


def percentile(samples: Sequence[float], percent: int) -> float:
    """The smallest sample that so many per cent of all do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._started


async def side_by_side(workers: int, seconds: float, work: Callable[[int], Awaitable[int]]) -> float:
    """Lets workers work for some seconds after a warm-up of a fifth; returns how much per second."""
    rate = 0.0
    for length in (seconds / 5, seconds):
        done = [0] * workers
        watch = Stopwatch()

        async def loop(worker: int, watch: Stopwatch, length: float, done: list[int]) -> None:
            while watch.seconds < length:
                finished = await work(worker)
                done[worker] += finished

        await asyncio.gather(*(loop(worker, watch, length, done) for worker in range(workers)))
        rate = sum(done) / watch.seconds
    return rate
