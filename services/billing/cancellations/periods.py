"""Periods as contracts and laws count them: by calendar months or days, to the last day that still belongs to them."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta

_ISO = re.compile(r"P(?=\d)(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?")
MONTHS_A_YEAR = 12
DAYS_A_WEEK = 7


@dataclass(frozen=True, slots=True)
class Period:
    """Months and days, written as ISO 8601 does: P1M, P14D, P1Y6M."""

    months: int = 0
    days: int = 0

    @classmethod
    def parse(cls, text: str) -> Period:
        """Reads P1M, P6W, P14D; raises ValueError for anything else."""
        found = _ISO.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"not a period: {text[:20]!r}")
        years, months, weeks, days = (int(number or 0) for number in found.groups())
        return cls(years * MONTHS_A_YEAR + months, weeks * DAYS_A_WEEK + days)

    def __str__(self) -> str:
        months = f"{self.months}M" if self.months else ""
        days = f"{self.days}D" if self.days or not self.months else ""
        return f"P{months}{days}"

    def after(self, day: date) -> date:
        """The last day of a period that begins with an event of `day`, which itself does not count.

        BGB 187(1), 188(2), (3): the day with the same number, or the last day of a month that has none such.
        """
        return add_months(day, self.months) + timedelta(days=self.days)


def add_months(day: date, months: int) -> date:
    """The same day so many months later, or the last day of a month that has no such day."""
    year, month = divmod(day.year * MONTHS_A_YEAR + day.month - 1 + months, MONTHS_A_YEAR)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def last_day(begins: date, months: int) -> date:
    """The last day of a term whose first day is `begins`, which counts.

    BGB 187(2), 188(2), (3): the day before the one with the same number; where there is none such, the last of its
    month.
    """
    end = add_months(begins, months)
    return end if end.day < begins.day else end - timedelta(days=1)
