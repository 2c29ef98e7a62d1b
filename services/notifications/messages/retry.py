"""When a message that could not be delivered is tried again, and when it is given up."""

from __future__ import annotations

from datetime import datetime, timedelta

FIRST_DELAYS = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=5))
GROWTH = 1.3
LONGEST_DELAY = timedelta(hours=6)
MAXIMUM_ATTEMPTS = 30
SPREAD = 0.2


def next_attempt(
    attempts: int, now: datetime, expires_at: datetime, jitter: float, *, not_before: timedelta = timedelta()
) -> datetime | None:
    """The time of the next attempt after `attempts` of them, or None when there is none any more.

    5 s, 30 s, 2 min, 5 min, then each time 1.3 times longer up to 6 h; `jitter` (0 to 1) moves it by up to 10 %.
    """
    if attempts >= MAXIMUM_ATTEMPTS:
        return None
    delay = max(_delay(attempts), not_before) * (1 + SPREAD * (jitter - 0.5))
    at = now + delay
    return at if at <= expires_at else None


def _delay(attempts: int) -> timedelta:
    if attempts <= len(FIRST_DELAYS):
        return FIRST_DELAYS[max(attempts, 1) - 1]
    return min(FIRST_DELAYS[-1] * GROWTH ** (attempts - len(FIRST_DELAYS)), LONGEST_DELAY)
