"""Rounds, figures and the table they end in."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

Measure = Callable[[], Awaitable[float]]


@dataclass(frozen=True)
class Contender:
    """Somebody who does the work of a row; `measure` does one round and returns the figure."""

    name: str
    measure: Measure


@dataclass
class Row:
    """One line of comparison: the first contender is Portico, the others are beside it in alternating rounds."""

    name: str
    unit: str
    contenders: Sequence[Contender]
    higher_is_better: bool = True
    samples: dict[str, list[float]] = field(default_factory=dict)

    async def run(self, rounds: int) -> None:
        for _ in range(rounds):
            for contender in self.contenders:
                self.samples.setdefault(contender.name, []).append(await contender.measure())

    def ratios(self) -> list[float]:
        """Portico to its first peer, round by round."""
        ours, *peers = (self.samples[contender.name] for contender in self.contenders)
        return [mine / theirs for mine, theirs in zip(ours, peers[0], strict=True)] if peers else []


def machine() -> str:
    """What the figures were measured on."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor() or "unknown processor",
    )
    memory = next((line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), "0")
    return (
        f"{os.cpu_count()} x {model}, {int(memory) // 1024 // 1024} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text().splitlines() if file.exists() else []


def show(rows: Sequence[Row], setting: str) -> None:
    """Prints the table: minimum, median and maximum of the rounds, and the median ratio."""
    console = Console(width=None if os.isatty(1) else 140)
    console.print(f"[dim]{machine()}[/dim]\n[dim]{setting}[/dim]")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("what", "who", "unit"):
        table.add_column(heading, overflow="fold")
    for heading in ("min", "median", "max", "ratio"):
        table.add_column(heading, justify="right")
    for row in rows:
        ratios = row.ratios()
        for number, contender in enumerate(row.contenders):
            samples = row.samples[contender.name]
            figures = [f"{value:,.0f}" if value >= 100 else f"{value:.2f}" for value in _spread(samples)]
            ratio = f"{statistics.median(ratios):.2f}" if ratios and number == 0 else ""
            name = f"[bold]{contender.name}[/bold]" if number == 0 else contender.name
            table.add_row(row.name if number == 0 else "", name, row.unit, *figures, ratio)
    console.print(table)


def as_json(rows: Sequence[Row], setting: str) -> str:
    """The same for programs, every sample included."""
    figures = [
        {
            "name": row.name,
            "unit": row.unit,
            "samples": row.samples,
            "median_ratio": statistics.median(ratios) if (ratios := row.ratios()) else None,
        }
        for row in rows
    ]
    return json.dumps({"machine": machine(), "setting": setting, "rows": figures}, indent=2)


def _spread(samples: Sequence[float]) -> tuple[float, float, float]:
    return min(samples), statistics.median(samples), max(samples)


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._started
