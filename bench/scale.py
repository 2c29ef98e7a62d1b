"""What a large utility asks of Portico: volumes on paper, and its busiest night simulated. `python -m bench.scale`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

DAYS = 30.4
HOUR = 3_600


@dataclass(frozen=True)
class Utility:
    """How many people, and what happens to each of their contracts."""

    customers: int = 10_000_000
    contracts_each: float = 1.3
    billing_events_monthly: float = 2.4
    """Each instalment is told when due and when paid; invoices, dunning and bonuses come on top."""
    plan_changes_yearly: float = 1.5
    instalment_changes_yearly: float = 0.6
    """Each is three events: asked, decided, and the mail."""
    record_changes_yearly: float = 1.0
    page_views_monthly: float = 1.5
    event_bytes: int = 1_000
    """Assumed for an event in the log: its data, its row and its two index entries."""
    wire_bytes: int = 900
    """Assumed for a record on a topic with its headers."""

    @property
    def contracts(self) -> float:
        return self.customers * self.contracts_each

    @property
    def events_a_month(self) -> float:
        yearly = self.plan_changes_yearly + 3 * self.instalment_changes_yearly + self.record_changes_yearly
        return self.contracts * (self.billing_events_monthly + yearly / 12)


@dataclass(frozen=True)
class Capacity:
    """Events a second of one process on one core, as measured by `make bench`."""

    import_: float
    view: float
    replay: float


@dataclass(frozen=True)
class Hour:
    """An hour of the busiest night."""

    hour: int
    arriving: float
    applied: float
    backlog: float


def busiest_night(utility: Utility, per_second: float, run_hours: int = 1) -> Iterator[Hour]:
    """The ERP tells every contract's instalment of the month within `run_hours` after midnight, besides a usual day."""
    run = utility.contracts
    ordinary = utility.events_a_month / DAYS / 24
    backlog = 0.0
    for hour in range(24):
        arriving = ordinary + (run / run_hours if hour < run_hours else 0)
        applied = min(backlog + arriving, per_second * HOUR)
        backlog += arriving - applied
        yield Hour(hour, arriving, applied, backlog)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.scale", description="Volumes, and the busiest night")
    parser.add_argument("--customers", type=int, default=10_000_000)
    parser.add_argument("--import", dest="import_", type=float, required=True, help="events/s of one import process")
    parser.add_argument("--view", type=float, required=True, help="events/s of one view process")
    parser.add_argument("--replay", type=float, required=True, help="events/s of a rebuild in one process")
    options = parser.parse_args()
    utility = Utility(customers=options.customers)
    capacity = Capacity(options.import_, options.view, options.replay)
    console = Console(width=110)
    volumes(console, utility, capacity)
    for instances in (1, 2, 4, 8):
        night(console, utility, capacity, instances)


def volumes(console: Console, utility: Utility, capacity: Capacity) -> None:
    """Prints what a month and ten years hold."""
    monthly = utility.events_a_month
    ten_years = monthly * 120
    table = Table(box=None, show_header=False)
    for what, figure in (
        ("contracts", f"{utility.contracts:,.0f}"),
        ("events a month", f"{monthly:,.0f}"),
        ("events a day, on average", f"{monthly / DAYS:,.0f}, {monthly / DAYS / 86_400:,.0f}/s"),
        ("log after a year", f"{monthly * 12 * utility.event_bytes / 1e9:,.0f} GB"),
        ("log after ten years", f"{ten_years * utility.event_bytes / 1e12:,.1f} TB, {ten_years:,.0f} events"),
        ("topics after ten years, one replica", f"{ten_years * utility.wire_bytes / 1e12:,.1f} TB"),
        ("rebuild of a view after one year, one process", f"{monthly * 12 / capacity.replay / HOUR:,.1f} h"),
        ("the same with 16 partitions and processes", f"{monthly * 12 / capacity.replay / HOUR / 16:,.1f} h"),
        ("import processes for the busiest night without a backlog", str(math.ceil(_peak(utility) / capacity.import_))),
    ):
        table.add_row(what, figure)
    console.print(table)


def _peak(utility: Utility) -> float:
    return next(busiest_night(utility, math.inf)).arriving / HOUR


def night(console: Console, utility: Utility, capacity: Capacity, instances: int) -> None:
    """Prints when the busiest night is over with so many instances."""
    hours = list(busiest_night(utility, capacity.import_ * instances))
    worst = max(hours, key=lambda hour: hour.backlog)
    over = next((hour.hour + 1 for hour in hours if hour.backlog < 1), None)
    until = f"over at {over}:00" if over else "not over within the day"
    console.print(f"{instances} instance(s): most behind {worst.backlog:,.0f} events at {worst.hour + 1}:00, {until}")


if __name__ == "__main__":
    main()
