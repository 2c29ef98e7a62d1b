"""`portico serve NAME`: one service in this process, set up by its environment: what `up` and containers run."""

from importlib import import_module
from typing import Annotated

import typer

from chassis.service import serve as run_service
from cli.problem import Problem
from cli.settings import load_settings
from cli.stack.ports import SERVICES


def serve(service: Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}.")]) -> None:
    """Run one service until it is told to stop."""
    if service not in SERVICES:
        raise Problem(f"There is no service {service!r}.", f"There are {', '.join(SERVICES)}.")
    settings = load_settings()
    run_service(import_module(f"services.{service}.app").create(settings), settings)
