"""`portico env`: what a shell needs to talk to a running Portico with curl, psql and kcat."""

import shlex
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer

from cli.stack.postgres import binaries
from cli.stack.state import Record, State, state_folder
from cli.token import development_token


def env(
    role: Annotated[str, typer.Option(help="Whose token PORTICO_TOKEN is: operator, staff or erp.")] = "operator",
) -> None:
    """Print exports for `eval "$(portico env)"`: addresses, PG* for psql, a development token, the PATH to psql."""
    state = State(state_folder())
    record = state.record()
    values = {
        "PORTICO_STATE_DIR": str(state.folder.absolute()),
        **addresses(record),
        "PORTICO_TOKEN": development_token(record.services["identity"], role),
    }
    for name, value in values.items():
        typer.echo(f"export {name}={shlex.quote(value)}")
    folders = [str(Path(sys.executable).parent)]
    if "postgres" in record.embedded:
        folders.append(str(binaries()))
    typer.echo(f'export PATH="$PATH":{":".join(shlex.quote(folder) for folder in folders)}')


def addresses(record: Record) -> dict[str, str]:
    """Every address of a stack under the name of its environment variable."""
    database = urlsplit(record.database_url)
    found = {
        "PORTICO_KAFKA_SERVERS": record.kafka_servers,
        "PORTICO_DATABASE_URL": record.database_url,
        "PORTICO_SMTP_URL": record.smtp_url,
        "PORTICO_MAILBOX_URL": record.mailbox_url,
        "PORTICO_API_URL": f"{record.front_url}/api" if record.front_url else "",
        "PGHOST": database.hostname or "",
        "PGPORT": str(database.port or 5432),
        "PGUSER": unquote(database.username or ""),
        "PGPASSWORD": unquote(database.password or ""),
        "PGDATABASE": database.path.lstrip("/"),
        **{f"PORTICO_{service.upper()}_URL": url for service, url in record.services.items()},
    }
    return {name: value for name, value in found.items() if value}
