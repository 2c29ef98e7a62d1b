"""Failpoints do nothing until they are armed, and then what they are told, when they are told."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from chassis import failpoints
from chassis.failpoints import Failed, Point, reach


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


async def test_nothing_happens_unless_armed() -> None:
    for point in Point:
        await reach(point)


async def test_an_error_comes_at_its_turn_and_nowhere_else() -> None:
    failpoints.arm("relay.after_send=error@2,consumer.after_apply=error")
    await reach(Point.RELAY_AFTER_SEND)
    with pytest.raises(Failed, match=r"relay\.after_send"):
        await reach(Point.RELAY_AFTER_SEND)
    await reach(Point.RELAY_AFTER_SEND)
    await reach(Point.RELAY_BEFORE_SEND)
    for _ in range(2):
        with pytest.raises(Failed):
            await reach(Point.CONSUMER_AFTER_APPLY)


async def test_a_pause_lasts_as_long_as_it_says() -> None:
    failpoints.arm("log.before_append=sleep:0.05")
    started = time.monotonic()
    await reach(Point.LOG_BEFORE_APPEND)
    assert time.monotonic() - started >= 0.05


@pytest.mark.parametrize("text", ["relay.nowhere=kill", "relay.after_send=explode", "relay.after_send=kill@soon"])
def test_what_is_no_failpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        failpoints.arm(text)


def test_the_environment_arms_and_kill_kills() -> None:
    reached = "asyncio.run(reach(Point.LOG_AFTER_APPEND)); print('alive')"
    program = f"import asyncio; from chassis.failpoints import Point, reach; {reached}"
    for text, status, said in (("log.after_append=kill", -9, ""), ("log.before_append=kill", 0, "alive\n")):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"PORTICO_FAILPOINTS": text},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (status, said), done.stderr
