"""`portico migrate`: brings roles, schemas and topics up to date; safe to repeat, and the first step of every `up`."""

import os
from collections.abc import Mapping

import psycopg

from chassis.errors import Unavailable
from chassis.provision import provision
from chassis.settings import Settings
from chassis.topics import UnfitTopic
from cli.problem import Problem
from cli.settings import load_settings
from cli.stack.ports import SERVICES
from cli.stack.state import State, state_folder


def migrate() -> None:
    """Create or update the roles, schemas and topics of all services."""
    passwords = {name: os.environ.get(f"PORTICO_{name.upper()}_PASSWORD", "") for name in SERVICES}
    if not all(passwords.values()):
        state = State(state_folder())
        state.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        passwords = state.secrets().services
    bring_up_to_date(load_settings(), passwords)


def bring_up_to_date(settings: Settings, passwords: Mapping[str, str]) -> None:
    """`settings` are an admin's; `passwords` has one per service, for its role in the database."""
    try:
        provision(settings, passwords)
    except psycopg.OperationalError as error:
        raise Problem("The database refused to be brought up to date.", str(error)) from error
    except (Unavailable, UnfitTopic) as error:
        raise Problem("Kafka refused to be brought up to date.", str(error)) from error
