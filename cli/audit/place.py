"""Whose logs can be read from here, and with which credentials."""

from __future__ import annotations

import os
from collections.abc import Sequence

import psycopg
from psycopg import conninfo

from chassis.provision import role_of
from cli.problem import Problem
from cli.stack.services import role_url
from cli.stack.state import State, state_folder
from contracts.topics import SERVICES


def services_named(chosen: Sequence[str] | None) -> tuple[str, ...]:
    """Those that were named, or all; a Problem for one that does not exist."""
    for name in chosen or ():
        if name not in SERVICES:
            raise Problem(f"There is no service {name!r}.", f"There are {', '.join(SERVICES)}.")
    return tuple(chosen or SERVICES)


def log_urls(chosen: Sequence[str] | None) -> dict[str, str]:
    """The database of each service: PORTICO_DATABASE_URL, or that of the stack that runs here by its own role.

    With the URL of a service's role only that service can be read, and is meant when none is named.
    """
    services = services_named(chosen)
    if url := os.environ.get("PORTICO_DATABASE_URL"):
        owner = _owner(url)
        return dict.fromkeys(services if owner is None or chosen else (owner,), url)
    state = State(state_folder())
    record, passwords = state.record(), state.secrets().services
    return {service: role_url(record.database_url, service, passwords[service]) for service in services}


def _owner(url: str) -> str | None:
    """The service whose role logs in with this URL; none for an admin."""
    try:
        user = conninfo.conninfo_to_dict(url).get("user")
    except psycopg.Error as error:
        raise Problem(f"PORTICO_DATABASE_URL: {str(error).strip()}") from error
    return next((service for service in SERVICES if role_of(service) == user), None)
