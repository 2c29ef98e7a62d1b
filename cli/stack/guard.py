"""Ends the children of an `up` that died without doing so: waits for the end of its pipe, then ends what is left."""

import json
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Child:
    """`started` tells a process from a later one with the same number; lower `stage`s end first."""

    name: str
    pid: int
    started: float
    stage: int
    stop_signal: int
    grace_seconds: float


def describe(name: str, pid: int, stage: int, stop_signal: int, grace_seconds: float) -> Child | None:
    with suppress(psutil.Error):
        return Child(name, pid, psutil.Process(pid).create_time(), stage, stop_signal, grace_seconds)
    return None


def remember(path: Path, children: Iterable[Child]) -> None:
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(json.dumps([asdict(child) for child in children]))
    draft.replace(path)


def end_remembered(path: Path) -> list[str]:
    """Ends every child on the list that still lives, in order, and says which."""
    if not path.exists():
        return []
    children = sorted((Child(**entry) for entry in json.loads(path.read_text())), key=lambda child: child.stage)
    ended = []
    for _, stage in groupby(children, key=lambda child: child.stage):
        living = [(child, process) for child in stage if (process := _living(child))]
        for child, process in living:
            with suppress(psutil.Error):
                process.send_signal(child.stop_signal)
        psutil.wait_procs(
            [process for _, process in living], timeout=max((c.grace_seconds for c, _ in living), default=0)
        )
        for child, _ in living:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            ended.append(child.name)
    path.unlink(missing_ok=True)
    return ended


def _living(child: Child) -> psutil.Process | None:
    with suppress(psutil.Error):
        process = psutil.Process(child.pid)
        if abs(process.create_time() - child.started) < 1 and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    end_remembered(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
