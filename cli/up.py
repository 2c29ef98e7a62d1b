"""`portico up`: the whole of Portico on this machine, supervised, until it is told to stop."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.markup import escape

from cli.migrate import bring_up_to_date
from cli.stack import guard, ports
from cli.stack.plan import Plan, make_plan
from cli.stack.report import show_ready
from cli.stack.state import State, state_folder
from cli.stack.supervisor import Supervisor


def up(
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete all data of this state folder first.")] = False,
    demo: Annotated[bool, typer.Option("--demo", help="Play the stories of `portico demo` when it is ready.")] = False,
    port_base: Annotated[
        int | None, typer.Option(envvar="PORTICO_PORT_BASE", help="Count all ports from here; 0 takes any free ones.")
    ] = None,
    port: Annotated[
        list[str] | None, typer.Option(envvar="PORTICO_PORTS", metavar="PART=PORT", help="The port of one part.")
    ] = None,
) -> None:
    """Start PostgreSQL, Kafka, the mailbox and all services, and keep them running until Ctrl-C."""
    console = Console(stderr=True, highlight=False)
    state = State(state_folder())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with state.locked():
        last = state.last_record()
        if left := guard.end_remembered(state.children):
            console.print(f"Ended what an earlier Portico left behind: {', '.join(left)}.")
        if fresh:
            _confirm_wipe(state)
            state.wipe()
        state.refuse_full_disk()
        plan = make_plan(state, ports.choose(port_base, ports.parse(port or [])), last, console)
        with suppress(KeyboardInterrupt):
            asyncio.run(_run(plan, console, demo))


def _confirm_wipe(state: State) -> None:
    if sys.stdin.isatty() and (state.folder / "postgres").exists():
        typer.confirm(f"Delete all data in {state.folder.absolute()}?", abort=True, err=True)


async def _run(plan: Plan, console: Console, demo: bool) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)

    def say(line: str) -> None:
        console.print(f"{time.strftime('%H:%M:%S')} {escape(line)}", soft_wrap=True)

    supervisor = Supervisor(plan.state.children, say)
    try:
        starting = asyncio.create_task(_start(plan, supervisor, console))
        stopping = asyncio.create_task(stopped.wait())
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
        else:
            starting.result()
            async with _demo(demo):
                await supervisor.run_until(stopped)
    finally:
        console.print("Stopping: first the services, then Kafka, then PostgreSQL.")
        plan.state.write_record(replace(plan.record, ready=False))
        await supervisor.stop()
        console.print("Stopped. The data is kept.")


@asynccontextmanager
async def _demo(wanted: bool) -> AsyncIterator[None]:
    """`portico demo` beside the block, on the stack that runs in it; ended with it."""
    playing = await asyncio.create_subprocess_exec(sys.executable, "-m", "cli.main", "demo") if wanted else None
    try:
        yield
    finally:
        if playing and playing.returncode is None:
            playing.terminate()
            await playing.wait()


async def _start(plan: Plan, supervisor: Supervisor, console: Console) -> None:
    plan.state.write_record(plan.record)
    with console.status("Starting PostgreSQL, Kafka and the mailbox") as status:
        await supervisor.start(0, plan.servers)
        await asyncio.to_thread(plan.ensure_database)
        status.update("Bringing schemas and topics up to date")
        await asyncio.to_thread(bring_up_to_date, plan.settings, plan.secrets.services)
        status.update("Starting the services")
        await supervisor.start(2, [*plan.services, await plan.gateway()])
    record = replace(plan.record, ready=True, pids=supervisor.pids)
    plan.state.write_record(record)
    show_ready(record, seconds=time.time() - psutil.Process().create_time())
