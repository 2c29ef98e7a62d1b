"""Draws the ratios to the peers as PNG and SVG. matplotlib comes with the peers' interpreter, which runs this file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.table import Line

DRAW_SECONDS = 120
OURS, FAILED, GOAL = "#0b6e4f", "#b3471d", "#222222"


def draw(found: Sequence[Line], notes: Sequence[str], name: Path) -> None:
    """Writes NAME.png and NAME.svg, or says why not."""
    from bench.peers.install import Absent, python_peers  # noqa: PLC0415 not there when the peers' interpreter runs this

    bars = [
        {
            "label": f"{line.title}{'' if line.figure in line.title else f' ({line.figure})'}\nvs {line.contender}",
            "ratio": line.ratio,
            "goal": line.at_least,
        }
        for line in found
        if line.ratio is not None and not line.ours
    ]
    try:
        interpreter = python_peers(True)
    except Absent as absent:
        sys.stderr.write(f"no plot: {absent}\n")
        return
    content = json.dumps({"bars": bars, "note": notes[0], "name": str(name.absolute())})
    subprocess.run([str(interpreter), __file__], input=content, text=True, timeout=DRAW_SECONDS, check=True)


def _paint(bars: Sequence[dict[str, Any]], note: str, name: str) -> None:
    import matplotlib  # type: ignore[import-not-found]  # noqa: PLC0415 only the peers have it

    matplotlib.use("Agg")
    matplotlib.rcParams |= {"font.family": "DejaVu Sans", "font.size": 9, "svg.hashsalt": "portico"}
    from matplotlib import pyplot  # noqa: PLC0415 after the choice of the backend

    figure, axes = pyplot.subplots(figsize=(10, 1.6 + 0.55 * len(bars)), layout="constrained")
    for place, bar in enumerate(reversed(bars)):
        goal, ratio = bar["goal"], bar["ratio"]
        axes.barh(place, ratio, color=OURS if goal is None or ratio >= goal else FAILED, height=0.6)
        axes.text(max(ratio, goal or 0) * 1.1, place, f"{ratio:.2f}x", va="center")
        if goal is not None:
            axes.plot([goal] * 2, [place - 0.4, place + 0.4], color=GOAL, linewidth=2)
    ends = [value for bar in bars for value in (bar["ratio"], bar["goal"]) if value]
    axes.set_yticks(range(len(bars)), [bar["label"] for bar in reversed(bars)])
    axes.set_xscale("log")
    axes.set_xlim(min([1.0, *ends]) / 2, max([1.0, *ends]) * 2)
    axes.xaxis.set_major_formatter("{x:g}x")
    axes.axvline(1, color="#999999", linewidth=1, linestyle=":")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.suptitle("Portico beside its peers: how many times as fast", fontsize=12, x=0.01, ha="left")
    figure.supxlabel(f"Median of the rounds; the dark stroke is the goal. {note}", fontsize=8, x=0.01, ha="left")
    figure.savefig(f"{name}.png", dpi=160)
    figure.savefig(f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    _paint(**json.load(sys.stdin))
