"""Supervision, tried on small programs: what dies is started again, and nothing outlives its supervisor."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from cli.problem import Problem
from cli.stack import supervisor as supervision
from cli.stack.programs import Program
from cli.stack.supervisor import Supervisor, bound_log

LIMIT_SECONDS = 20.0
REPOSITORY = Path(__file__).parents[2]

ENDS_IN_ORDER = """
import pathlib, signal, sys, time
out, name = pathlib.Path(sys.argv[1]), sys.argv[2]
def end(*_):
    with (out / "ends").open("a") as file:
        file.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
(out / f"{name}.ready").touch()
time.sleep(600)
"""
DEAF = """
import os, pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(f"{os.getpid()} {child.pid}")
time.sleep(600)
"""
PARENT = """
import asyncio, pathlib, sys
from cli.stack.programs import Program
from cli.stack.supervisor import Supervisor
folder = pathlib.Path(sys.argv[1])
def program(name, source):
    mark = folder / f"{name}.ready"
    command = (sys.executable, "-c", source, str(mark))
    return Program(name, command, folder / f"{name}.log", mark.exists, grace_seconds=1.0)
async def main():
    supervisor = Supervisor(folder / "children.json", print)
    await supervisor.start(0, [program("deaf", pathlib.Path(sys.argv[2]).read_text())])
    (folder / "up").touch()
    await supervisor.run_until(asyncio.Event())
asyncio.run(main())
"""


def program(folder: Path, name: str, source: str, *arguments: str) -> Program:
    """A Python one-liner as a program that is ready when it has made a file."""
    return Program(
        name=name,
        command=(sys.executable, "-c", source, *arguments),
        log=folder / f"{name}.log",
        ready=(folder / f"{name}.ready").exists,
        grace_seconds=5.0,
    )


@asynccontextmanager
async def supervised(folder: Path) -> AsyncIterator[tuple[Supervisor, list[str]]]:
    said: list[str] = []
    supervisor = Supervisor(folder / "children.json", said.append)
    try:
        yield supervisor, said
    finally:
        await supervisor.stop()


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.02)


async def lines(said: list[str], count: int) -> None:
    await until(lambda: len(said) == count)


async def test_a_killed_program_is_started_again_with_growing_pauses(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (supervisor, said):
        await supervisor.start(0, [program(tmp_path, "lamp", ENDS_IN_ORDER, str(tmp_path), "lamp")])
        first = supervisor.pids["lamp"]
        os.kill(first, signal.SIGKILL)
        await lines(said, 2)
        second = supervisor.pids["lamp"]
        os.kill(second, signal.SIGKILL)
        await lines(said, 4)
        assert len({first, second, supervisor.pids["lamp"]}) == 3
    assert said[0] == "lamp was ended by SIGKILL; it is started again in 0.5 s."
    assert said[1].startswith("lamp is ready again after ")
    assert said[2] == "lamp was ended by SIGKILL; it is started again in 1.0 s."


async def test_pauses_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_DELAY_SECONDS", 0.01)
    monkeypatch.setattr(supervision, "LONGEST_DELAY_SECONDS", 0.02)
    async with supervised(tmp_path) as (supervisor, said):
        await supervisor.start(0, [program(tmp_path, "lamp", ENDS_IN_ORDER, str(tmp_path), "lamp")])
        for round_number in range(1, 5):
            os.kill(supervisor.pids["lamp"], signal.SIGKILL)
            await lines(said, 2 * round_number)
    assert said[6].endswith("in 0.0 s.")


async def test_a_program_that_cannot_start_says_why(tmp_path: Path) -> None:
    broken = program(tmp_path, "lamp", "raise SystemExit('the fuse is blown')")
    async with supervised(tmp_path) as (supervisor, said):
        with pytest.raises(Problem) as raised:
            await supervisor.start(0, [broken])
    assert "lamp ended with status 1" in raised.value.message
    assert "the fuse is blown" in raised.value.advice
    assert "the fuse is blown" in said[0]


async def test_a_program_that_is_never_ready_is_named(tmp_path: Path) -> None:
    slow = replace(program(tmp_path, "lamp", "import time; time.sleep(600)"), ready_seconds=0.2)
    async with supervised(tmp_path) as (supervisor, _):
        with pytest.raises(Problem, match=r"lamp was not ready within 0 s"):
            await supervisor.start(0, [slow])


async def test_stages_end_in_reverse_order(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (supervisor, _):
        for stage, name in enumerate(("postgres", "kafka", "billing")):
            await supervisor.start(stage, [program(tmp_path, name, ENDS_IN_ORDER, str(tmp_path), name)])
        pids = supervisor.pids
    assert (tmp_path / "ends").read_text().split() == ["billing", "kafka", "postgres"]
    assert not any(psutil.pid_exists(pid) for pid in pids.values())
    assert not (tmp_path / "children.json").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_dead_supervisor_leaves_no_process_behind(tmp_path: Path, number: signal.Signals) -> None:
    deaf = tmp_path / "deaf.py"
    deaf.write_text(DEAF)
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(tmp_path), str(deaf)), cwd=REPOSITORY
    )
    await until((tmp_path / "up").exists)
    pids = [int(pid) for pid in (tmp_path / "deaf.ready").read_text().split()]
    assert json.loads((tmp_path / "children.json").read_text())[0]["pid"] == pids[0]
    parent.send_signal(number)
    await asyncio.wait_for(parent.wait(), LIMIT_SECONDS)
    await until(lambda: not any(psutil.pid_exists(pid) for pid in pids))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent")
async def test_on_linux_children_end_even_when_the_guard_dies_first(tmp_path: Path) -> None:
    source = tmp_path / "lamp.py"
    source.write_text("import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)")
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(tmp_path), str(source)), cwd=REPOSITORY
    )
    await until((tmp_path / "up").exists)
    children = psutil.Process(parent.pid).children()
    assert len(children) == 2
    [guard] = [child for child in children if "cli.stack.guard" in child.cmdline()]
    guard.kill()
    parent.kill()
    await asyncio.wait_for(parent.wait(), LIMIT_SECONDS)
    await until(lambda: not any(child.is_running() and child.status() != "zombie" for child in children))


def test_a_log_stays_bounded_while_it_is_written_to(tmp_path: Path) -> None:
    log = tmp_path / "lamp.log"
    with log.open("ab") as writer:
        writer.write(b"x" * 2000)
        writer.flush()
        bound_log(log, limit_bytes=1000)
        writer.write(b"new")
    assert log.read_bytes() == b"new"
    assert (tmp_path / "lamp.log.1").stat().st_size == 2000
