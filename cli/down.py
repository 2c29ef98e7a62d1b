"""`portico down`: stops the `up` that runs on this state folder, from anywhere."""

import time
from contextlib import suppress

import psutil
import typer

from cli.problem import Problem
from cli.stack import guard
from cli.stack.state import State, state_folder

LIMIT_SECONDS = 90.0
POLL_SECONDS = 0.1


def down() -> None:
    """Stop the Portico that runs on this state folder, and wait until it is gone."""
    state = State(state_folder())
    pid = state.running_pid()
    if pid is None:
        left = guard.end_remembered(state.children)
        typer.echo(f"Ended what was left behind: {', '.join(left)}." if left else f"No Portico runs on {state.folder}.")
        return
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.terminate()
        _await_end(process, state)
    typer.echo("Stopped. The data is kept.")


def _await_end(process: psutil.Process, state: State) -> None:
    """A zombie has ended, too: it only waits for a parent that is no concern of ours."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            message = f"Process {process.pid} did not stop within {LIMIT_SECONDS:.0f} s."
            raise Problem(message, f"Its logs are in {state.logs}.")
        time.sleep(POLL_SECONDS)
