"""`make bench`: starts PostgreSQL and Kafka, measures, prints the table."""

from __future__ import annotations

import argparse
import asyncio
import base64
import itertools
import os
import sys
import tempfile
from pathlib import Path

import structlog

from bench.harness import Row, as_json, show
from bench.rows import Bench, append_row, command_row, latency_rows, prepare, relay_row, view_row
from chassis.provision import provision_database
from chassis.settings import Settings
from cli.stack.kafka import kafka
from cli.stack.ports import free_port
from cli.stack.postgres import postgres


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description="Portico beside its peers, in one run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one round of an append row")
    parser.add_argument("--events", type=int, default=40_000, help="events of a relay or view round")
    parser.add_argument("--smoke", action="store_true", help="everything once and short, to see that it runs")
    parser.add_argument("--json", metavar="FILE", help="write all samples to a file, - for standard output")
    options = parser.parse_args()
    if options.smoke:
        options.rounds, options.seconds, options.events = 1, 0.3, 2_000
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory(prefix="portico-bench-") as folder:
        state = Path(folder)
        with postgres(state / "p", free_port()) as database, kafka(state / "k") as broker:
            url = provision_database(database.url(), {"billing": "bench"}, 4)["billing"]
            settings = Settings.model_validate(
                {
                    "database_url": url,
                    "kafka_servers": broker.servers,
                    "master_key": base64.b64encode(os.urandom(32)).decode(),
                    "identity_url": "http://127.0.0.1:9",
                }
            )
            bench = Bench(settings, options.seconds, options.events, 300 if options.smoke else 3_000)
            rows = asyncio.run(run(bench, options.rounds))
    setting = (
        f"{options.rounds} alternating rounds; embedded PostgreSQL 18 (fsync on) and Kafka 4.3 on the same machine; "
        f"events of 250 B; relay and view over {options.events:,} events"
    )
    show(rows, setting)
    if options.json == "-":
        sys.stdout.write(as_json(rows, setting) + "\n")
    elif options.json:
        Path(options.json).write_text(as_json(rows, setting))


async def run(bench: Bench, rounds: int) -> list[Row]:
    """Measures all rows, one after the other."""
    prepare(bench.url)
    counter = itertools.count(1)

    def prefix() -> str:
        return f"bench{next(counter)}"

    rows = [
        *(append_row(bench, writers) for writers in (1, 8, 64, 256)),
        append_row(bench, 8, batch=100),
        command_row(bench, 64),
        relay_row(bench, prefix),
        view_row(bench, prefix),
        *latency_rows(bench, prefix),
    ]
    for row in rows:
        sys.stderr.write(f"{row.name} ...\n")
        await row.run(rounds)
    return rows


if __name__ == "__main__":
    main()
