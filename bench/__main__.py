"""`make bench`: starts PostgreSQL and Kafka, measures row by row, and prints the table."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import structlog
import uvloop

from bench.harness import Result, Row, run
from bench.plot import draw
from bench.rows import ROWS
from bench.scene import FULL, LARGE, QUICK, SMOKE, Scene, Sizes, set_up
from bench.table import as_json, lines, machine, show, versions
from chassis.service import collect_less_often

TEN_MILLION = 10_000_000
KEYS = tuple(row.key for row in ROWS)


def main() -> None:
    options = _options()
    sizes = _sizes(options)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    rows = [row for row in ROWS if not options.only or row.key in options.only]
    notes = [f"{machine()}", versions(), describe(sizes)]
    notes += [f"PostgreSQL with the memory of a large server: {LARGE}"] if options.large else []
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="portico-bench-") as folder,
        set_up(Path(folder), sizes, install=not options.smoke, large=options.large) as scene,
    ):
        collect_less_often()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            results = runner.run(_measure(rows, scene))
    notes.append(f"measured in {(time.monotonic() - started) / 60:.1f} minutes")
    found = lines(results)
    show(found, notes)
    if options.json == "-":
        sys.stdout.write(as_json(found, notes) + "\n")
    elif options.json:
        Path(options.json).write_text(as_json(found, notes) + "\n")
    if options.plot:
        draw(found, notes, Path(options.plot))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Portico beside its peers, in one run")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="three short rounds of less")
    size.add_argument("--smoke", action="store_true", help="everything once and tiny, to see that it runs")
    parser.add_argument("--rounds", type=int, help="rounds of each row")
    parser.add_argument("--only", action="append", choices=KEYS, metavar="ROW", help=f"of {', '.join(KEYS)}; repeat")
    parser.add_argument("--growth", action="store_true", help="growth up to ten million events (8 GB of disk)")
    parser.add_argument("--large", action="store_true", help="PostgreSQL with more memory than `portico up` gives it")
    parser.add_argument("--json", metavar="FILE", help="write all samples to a file, - for standard output")
    parser.add_argument("--plot", metavar="NAME", help="draw NAME.png and NAME.svg")
    return parser.parse_args()


def _sizes(options: argparse.Namespace) -> Sizes:
    sizes = SMOKE if options.smoke else QUICK if options.quick else FULL
    if options.growth:
        sizes = replace(sizes, growth=(*sizes.growth, TEN_MILLION))
    return replace(sizes, rounds=options.rounds) if options.rounds else sizes


def describe(sizes: Sizes) -> str:
    """The settings that all rows share."""
    return (
        f"{sizes.rounds} alternating rounds of {sizes.seconds:g} s; embedded PostgreSQL 18 (fsync, synchronous_commit) "
        f"and Kafka 4.3 on the same machine; events of 250 B; relay and view over {sizes.events:,} events, "
        f"replay over {sizes.replayed:,}, import of {sizes.imported:,}, "
        f"latency at {sizes.rate}/s for {sizes.latency_seconds:g} s"
    )


async def _measure(rows: Sequence[Row], scene: Scene) -> list[Result]:
    def say(line: str) -> None:
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")

    results = []
    for row in rows:
        result = await run(row, scene, scene.sizes.rounds, say)
        say(f"{row.title}: {result.seconds:.0f} s")
        results.append(result)
    return results


if __name__ == "__main__":
    main()
