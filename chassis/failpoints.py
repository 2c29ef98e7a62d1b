"""Named points at which a test kills, stops, fails or slows this process; without PORTICO_FAILPOINTS they do nothing.

`PORTICO_FAILPOINTS=relay.after_send=kill@3,consumer.before_commit=sleep:0.2`: an action, and at which time that the
point is reached (every time when none is given). Actions: kill (SIGKILL), stop (SIGSTOP), error, sleep:SECONDS.
"""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from enum import Enum

VARIABLE = "PORTICO_FAILPOINTS"


class Point(Enum):
    """Every point there is."""

    LOG_BEFORE_APPEND = "log.before_append"
    LOG_AFTER_APPEND = "log.after_append"
    RELAY_BEFORE_SEND = "relay.before_send"
    RELAY_AFTER_SEND = "relay.after_send"
    RELAY_BEFORE_SAVE = "relay.before_save"
    RELAY_AFTER_SAVE = "relay.after_save"
    CONSUMER_AFTER_BEGIN = "consumer.after_begin"
    CONSUMER_AFTER_APPLY = "consumer.after_apply"
    CONSUMER_BEFORE_COMMIT = "consumer.before_commit"
    CONSUMER_AFTER_COMMIT = "consumer.after_commit"
    TIMERS_BEFORE_COMMIT = "timers.before_commit"
    TIMERS_AFTER_COMMIT = "timers.after_commit"
    MAILER_BEFORE_SEND = "mailer.before_send"
    MAILER_AFTER_SEND = "mailer.after_send"
    MAILER_AFTER_COMMIT = "mailer.after_commit"


class Failed(OSError):
    """What the action `error` raises: a failure of the moment."""


@dataclass
class _Armed:
    action: str
    argument: float
    at: int
    reached: int = 0


_armed: dict[Point, _Armed] = {}


def arm(text: str) -> None:
    """Sets the points that are meant, in place of those set before. Raises ValueError for what is none."""
    _armed.clear()
    for part in filter(None, text.split(",")):
        name, _, rest = part.partition("=")
        action, _, at = rest.partition("@")
        action, _, argument = action.partition(":")
        if action not in {"kill", "stop", "error", "sleep"}:
            raise ValueError(f"{VARIABLE}: no action {action!r}")
        _armed[Point(name)] = _Armed(action, float(argument or 0), int(at or 0))


async def reach(point: Point) -> None:
    """Does what is set for this point, which is nothing outside of tests."""
    if not _armed or (armed := _armed.get(point)) is None:
        return
    armed.reached += 1
    if armed.at not in {0, armed.reached}:
        return
    match armed.action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "error":
            raise Failed(f"failpoint {point.value}")
        case _:
            await asyncio.sleep(armed.argument)


arm(os.environ.get(VARIABLE, ""))
