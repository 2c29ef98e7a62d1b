"""What a run found out: as a table in the terminal, as JSON with every sample, and read back from it."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from bench.harness import Result, spread

WIDTH = 150


@dataclass(frozen=True)
class Line:
    """One figure of one contender. `ratio` is how many times as good as this peer Portico is (median of the rounds)."""

    row: str
    title: str
    setting: str
    figure: str
    unit: str
    contender: str
    ours: bool
    samples: list[float]
    lower_is_better: bool
    ratio: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    missing: str = ""

    @property
    def goal(self) -> str:
        if self.at_least is not None:
            return f">= {self.at_least:g}x"
        return f"<= {self.at_most:g} {self.unit}" if self.at_most is not None else ""

    @property
    def reached(self) -> bool | None:
        """Whether the goal is met; None without a goal or a figure."""
        if self.at_least is not None:
            return None if self.ratio is None else self.ratio >= self.at_least
        if self.at_most is not None and self.samples:
            return statistics.median(self.samples) <= self.at_most
        return None

    @property
    def mark(self) -> str:
        return {True: "✓", False: "✗", None: ""}[self.reached]


def lines(results: Sequence[Result]) -> list[Line]:
    """All figures, row by row."""
    found = []
    for result in results:
        row = result.row
        for place, figure in enumerate(row.figures):
            for number, contender in enumerate(result.contenders):
                samples = result.samples[contender.name][place] if contender.measure else []
                ratios = result.ratios(contender, place)
                found.append(
                    Line(
                        row=row.key,
                        title=row.title,
                        setting=row.setting,
                        figure=figure.name,
                        unit=figure.unit,
                        contender=contender.name,
                        ours=contender.ours or number == 0,
                        samples=samples,
                        lower_is_better=figure.lower_is_better,
                        ratio=statistics.median(ratios) if ratios else None,
                        at_least=contender.at_least,
                        at_most=figure.at_most if number == 0 else None,
                        missing=contender.missing,
                    )
                )
    return found


def machine() -> str:
    """What the figures were measured on."""
    model = next(
        (line.partition(":")[2].strip() for line in _proc("cpuinfo") if line.startswith("model name")),
        platform.processor() or "unknown processor",
    )
    load = psutil.getloadavg()[0]
    return (
        f"{psutil.cpu_count()} x {model}, {round(psutil.virtual_memory().total / 2**30)} GiB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}, load at the start {load:.1f}"
    )


def versions() -> str:
    """What was measured."""
    names = ("fastapi", "uvicorn", "pydantic", "psycopg", "aiokafka")
    return ", ".join(f"{name} {version(name)}" for name in names)


def _proc(name: str) -> list[str]:
    file = Path("/proc") / name
    return file.read_text().splitlines() if file.exists() else []


def number(value: float) -> str:
    """Three digits that matter."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def ratio(line: Line) -> str:
    return "" if line.ratio is None else f"{line.ratio:.2f}x"


def show(found: Sequence[Line], notes: Sequence[str]) -> None:
    """Prints minimum, median and maximum of the rounds, the ratio to each peer, and whether a goal is met."""
    console = Console(width=None if Console().is_terminal else WIDTH, highlight=False)
    for note in notes:
        console.print(note, style="dim")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("what", "who", "figure"):
        table.add_column(heading, overflow="fold")
    for heading in ("min", "median", "max", "Portico is", "goal", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    last = ""
    for line in found:
        title = "" if line.row == last else f"[bold]{line.title}[/]\n[dim]{line.setting}[/]"
        who = f"[bold]{line.contender}[/]" if line.ours else line.contender
        if line.missing:
            table.add_row(title, who, f"[yellow]not measured: {line.missing}[/]", "", "", "", "", line.goal, "")
        else:
            figures = [number(value) for value in spread(line.samples)]
            table.add_row(title, who, f"{line.figure}, {line.unit}", *figures, ratio(line), line.goal, line.mark)
        last = line.row
    console.print(table)


def as_json(found: Sequence[Line], notes: Sequence[str]) -> str:
    """The same for programs, every sample included."""
    values = [{**vars(line), "goal": line.goal, "reached": line.reached} for line in found]
    return json.dumps({"notes": list(notes), "lines": values}, indent=2, ensure_ascii=False)


def read(file: Path) -> tuple[list[Line], list[str]]:
    """What `as_json` wrote."""
    content: dict[str, Any] = json.loads(file.read_text())
    known = Line.__dataclass_fields__
    found = [Line(**{name: value for name, value in line.items() if name in known}) for line in content["lines"]]
    return found, content["notes"]
