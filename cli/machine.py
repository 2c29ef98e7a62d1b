"""`portico machine`: how the first operator of a new system gets in; see services/identity/bootstrap.py."""

import asyncio
import os
from typing import Annotated

import psycopg
import typer
from psycopg_pool import PoolTimeout

from chassis.errors import Rejected
from chassis.http.app import OWN_TEXTS
from cli.problem import Problem
from cli.stack.services import role_url
from cli.stack.state import State, state_folder
from contracts.identity import MachineRole
from services.identity.app import TEXTS
from services.identity.bootstrap import add_machine

machine = typer.Typer(add_completion=False, help="Machines that get tokens.")


@machine.callback()
def machines() -> None:
    """Register machines without a token, where identity's database credentials are at hand."""


@machine.command()
def add(
    name: Annotated[str, typer.Argument(help="Small letters, digits, dots and dashes.")],
    role: Annotated[MachineRole, typer.Option(help="What its tokens are good for.")],
) -> None:
    """Register a machine and print its client id and secret, which are not shown again."""
    try:
        credentials = asyncio.run(add_machine(_database_url(), name, role))
    except Rejected as refused:
        raise Problem((OWN_TEXTS | TEXTS).say(refused.code, "en", refused.facts) or str(refused)) from refused
    except (psycopg.Error, PoolTimeout) as error:
        raise Problem(f"Identity's database cannot be used: {str(error).strip()}") from error
    typer.echo(f"PORTICO_CLIENT_ID={credentials.machine_id}")
    typer.echo(f"PORTICO_CLIENT_SECRET={credentials.secret}")


def _database_url() -> str:
    """Of the stack that runs here, or else of the environment, which in a container is identity's own."""
    state = State(state_folder())
    if state.running_pid() and (record := state.last_record()):
        return role_url(record.database_url, "identity", state.secrets().services["identity"])
    if url := os.environ.get("PORTICO_DATABASE_URL"):
        return url
    raise Problem(
        "There is no Portico here.",
        "Run this where identity runs, e.g. `docker compose exec identity portico machine add ops --role operator`.",
    )
