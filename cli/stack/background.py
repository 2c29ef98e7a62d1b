"""A Portico of one's own for as long as a block lasts: for the demo, tests and benchmarks."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cli.stack.jars import Unreachable, class_path
from cli.stack.programs import Program, running
from cli.stack.state import Record, State

READY_SECONDS = 180.0
GRACE_SECONDS = 90.0


@contextmanager
def started(state: State, *arguments: str) -> Iterator[Record]:
    """Runs `portico up` with the arguments as a child, from ready to stopped; its output is in the log `up.log`.

    Raises a Problem with the end of that log when it does not get ready.
    """
    if not os.environ.get("PORTICO_KAFKA_SERVERS"):
        with suppress(Unreachable):
            class_path()
    program = Program(
        name="portico",
        command=(sys.executable, "-m", "cli.main", "up", *arguments),
        log=state.folder / "up.log",
        ready=lambda: is_ready(state),
        environment={"PORTICO_STATE_DIR": str(state.folder.absolute())},
        grace_seconds=GRACE_SECONDS,
        ready_seconds=READY_SECONDS,
    )
    with running(program):
        yield state.record()


def is_ready(state: State) -> bool:
    """Whether the `up` that has this state says that all its parts are ready."""
    record = state.last_record()
    return record is not None and record.ready and record.pid == state.running_pid()
