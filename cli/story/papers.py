"""What the ERP and the utility send in the story, as plain documents, for whatever day it is played on. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

AMOUNT_CENTS = 9_500
MONTHS_AHEAD = 12
DUE_DAYS = (1, 15)
DUNNING_FEE_CENTS = 350
DUNNED_DAYS_AGO = 5


@dataclass(frozen=True)
class Papers:
    """Everything that the ERP knows about a contract today. `due` are the twelve next due dates."""

    contract: str
    today: date
    due: tuple[date, ...]

    @classmethod
    def of(cls, contract: str, today: date) -> Papers:
        """Of the two usual days of a month it takes the one that is farther away: then a change is possible today."""
        first = max((min(_on(today, day, months) for months in (0, 1) if _on(today, day, months) > today))
                    for day in DUE_DAYS)  # fmt: skip
        return cls(contract, today, tuple(_on(first, first.day, months) for months in range(MONTHS_AHEAD)))

    def schedule(self, amount_cents: int, from_day: date | None = None) -> list[dict[str, Any]]:
        """The due dates with an amount; before `from_day` with the amount of the plan."""
        return [
            {"due_on": str(due), "amount_cents": amount_cents if from_day is None or due >= from_day else AMOUNT_CENTS}
            for due in self.due
        ]

    def plan(self) -> dict[str, Any]:
        return {
            "amount_cents": AMOUNT_CENTS,
            "currency": "EUR",
            "valid_from": str(self.due[0]),
            "schedule": self.schedule(AMOUNT_CENTS),
        }

    def billing_events(self) -> list[dict[str, Any]]:
        """Three instalments paid, a bonus to come, and a dunning fee that should have been paid."""
        paid = [_on(self.due[0], self.due[0].day, -months) for months in (3, 2, 1)]
        past = [
            self._event(f"instalment/{due:%Y-%m}", "instalment", AMOUNT_CENTS, due, paid_on=min(due, self.today))
            for due in paid
        ]
        bonus = self._event("bonus", "bonus", 2_500, self.due[1], direction="credit")
        return [*past, bonus, self.dunning_fee()]

    def dunning_fee(self, paid_on: date | None = None) -> dict[str, Any]:
        due = self.today - timedelta(days=DUNNED_DAYS_AGO)
        return self._event("dunning", "dunning_fee", DUNNING_FEE_CENTS, due, paid_on=paid_on)

    def _event(
        self,
        name: str,
        kind: str,
        amount_cents: int,
        due: date,
        *,
        paid_on: date | None = None,
        direction: str = "debit",
    ) -> dict[str, Any]:
        return {
            "external_id": f"{self.contract}/{name}",
            "kind": kind,
            "direction": direction,
            "amount_cents": amount_cents,
            "currency": "EUR",
            "due_on": str(due),
            "paid_on": str(paid_on) if paid_on else None,
            "status": "closed" if paid_on else "open",
        }


def find_row(file: str, column: str, value: str) -> dict[str, str]:
    """The row of a CSV file with a value; raises LookupError when there is none."""
    for row in _rows(file):
        if row.get(column) == value:
            return row
    raise LookupError(f"no row with {column} {value}")


def one_row_file(row: dict[str, str], separator: str = ";") -> str:
    """A CSV file of a single row."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(row), delimiter=separator)
    writer.writeheader()
    writer.writerow(row)
    return text.getvalue()


def _rows(file: str) -> Sequence[dict[str, str]]:
    dialect = csv.Sniffer().sniff(file.splitlines()[0], delimiters=";,\t")
    return list(csv.DictReader(io.StringIO(file), dialect=dialect))


def _on(day: date, day_of_month: int, months: int) -> date:
    """A day of the month so many months after the month of `day`."""
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, day_of_month)
