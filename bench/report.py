"""`python -m bench.report results.json`: puts the figures of a run between the markers in docs/performance.md."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bench.harness import spread
from bench.plot import draw
from bench.table import Line, number, ratio, read

DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- figures: begin, written by bench.report -->", "<!-- figures: end -->"
HEADINGS = ("what", "who", "figure", "min", "median", "max", "Portico is", "goal", "")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.report")
    parser.add_argument("results", type=Path, help="what `make bench ARGS='--json FILE'` wrote")
    parser.add_argument("--document", type=Path, default=DOCUMENT)
    options = parser.parse_args()
    found, notes = read(options.results)
    before, _, rest = options.document.read_text().partition(BEGIN)
    _, marker, after = rest.partition(END)
    if not marker:
        raise SystemExit(f"{options.document} lacks the markers {BEGIN} and {END}")
    plot = options.document.with_suffix(".svg")
    draw(found, notes, plot.with_suffix(""))
    picture = f"![How many times as fast as its peers Portico is]({plot.name})\n\n" if plot.exists() else ""
    options.document.write_text(f"{before}{BEGIN}\n\n{picture}{markdown(found, notes)}\n\n{END}{after}")


def markdown(found: Sequence[Line], notes: Sequence[str]) -> str:
    """The table of a run."""
    rows = [HEADINGS, ("---", "---", "---", *(["---:"] * 5), ":-:")]
    last = ""
    for line in found:
        title = "" if line.row == last else f"**{line.title}**: {line.setting}"
        who = f"**{line.contender}**" if line.ours else line.contender
        if line.missing:
            rows.append((title, who, f"not measured: {line.missing}", "", "", "", "", line.goal, ""))
        else:
            figures = [number(value) for value in spread(line.samples)]
            rows.append((title, who, f"{line.figure}, {line.unit}", *figures, ratio(line), line.goal, line.mark))
        last = line.row
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([*(f"- {note}" for note in notes), "", table])


if __name__ == "__main__":
    main()
