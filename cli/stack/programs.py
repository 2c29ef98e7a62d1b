"""One child process: how it is started so that it cannot outlive us, how we know it is ready, how it is stopped."""

import ctypes
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cli.problem import Problem

PR_SET_PDEATHSIG = 1
DISK_FULL = os.strerror(errno.ENOSPC)
READY_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Program:
    """What to run. `ready` answers within two seconds; `stop_signal` asks for a clean end within `grace_seconds`."""

    name: str
    command: tuple[str, ...]
    log: Path
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 15.0
    ready_seconds: float = 60.0
    user: str | None = None


def spawn(program: Program) -> subprocess.Popen[bytes]:
    """Starts the program in its own session. Call it on the main thread: Linux ties a child to its parent's thread."""
    program.log.parent.mkdir(parents=True, exist_ok=True)
    with program.log.open("ab") as log:
        return subprocess.Popen(  # noqa: S603
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **program.environment},
            start_new_session=True,
            user=program.user,
            group=program.user,
            extra_groups=None if program.user is None else [],
            preexec_fn=_die_with_parent(program.stop_signal),  # noqa: PLW1509
        )


def _die_with_parent(stop_signal: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def stop(process: subprocess.Popen[bytes], program: Program) -> None:
    """Asks for a clean end, waits for it, and then ends whatever is left of its process group."""
    if process.poll() is None:
        process.send_signal(program.stop_signal)
        with suppress(subprocess.TimeoutExpired):
            process.wait(program.grace_seconds)
    end_group(process.pid)
    process.wait(10)


def end_group(leader_pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader_pid, signal.SIGKILL)


def last_lines(log: Path, count: int = 12) -> str:
    """The end of a log, for a message that says why something did not start."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 16_384))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])


def not_ready(program: Program, reason: str) -> Problem:
    tail = last_lines(program.log)
    if DISK_FULL in tail:
        return Problem(f"{program.name} {reason}: the disk is full.", f"Make room and start again. See {program.log}.")
    return Problem(f"{program.name} {reason}.", f"The end of {program.log}:\n{tail}" if tail else f"See {program.log}.")


@contextmanager
def running(program: Program) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a program for the length of a block, from ready to stopped, without supervision."""
    process = spawn(program)
    try:
        deadline = time.monotonic() + program.ready_seconds
        while not program.ready():
            if process.poll() is not None:
                raise not_ready(program, f"ended with status {process.returncode}")
            if time.monotonic() > deadline:
                raise not_ready(program, f"was not ready within {program.ready_seconds:.0f} s")
            time.sleep(READY_POLL_SECONDS)
        yield process
    finally:
        stop(process, program)
