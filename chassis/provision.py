"""Makes what services need before they start: roles, schemas, tables, the keyring and the shards of their logs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import conninfo, sql
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from chassis.settings import Settings
from chassis.topics import ensure_topics

MIGRATIONS = Path(__file__).parent / "migrations"
SERVICES = Path(__file__).parent.parent / "services"

KEYRING = """
CREATE SCHEMA IF NOT EXISTS keyring;
CREATE TABLE IF NOT EXISTS keyring.keys (
    person text PRIMARY KEY,
    wrapped bytea,
    made_at timestamptz NOT NULL DEFAULT now(),
    erased_at timestamptz
);
"""


def provision(settings: Settings, passwords: Mapping[str, str]) -> None:
    """Brings database and topics to what this version needs. `settings.database_url` is an admin's.

    `passwords` holds one entry for each service, by its name. Safe to repeat, and at the same time from several places.
    """
    provision_database(settings.database_url.get_secret_value(), passwords, settings.shards)
    asyncio.run(ensure_topics(settings))


def provision_database(admin_url: str, passwords: Mapping[str, str], shards: int) -> dict[str, str]:
    """Makes roles, schemas and tables; returns the URL of each service's own role."""
    urls: dict[str, str] = {}
    with psycopg.connect(admin_url, autocommit=True, connect_timeout=10) as admin:
        admin.execute("SELECT pg_advisory_lock(hashtext('portico.provision'))")
        admin.execute(KEYRING)
        for service, password in passwords.items():
            _make_role(admin, service, password)
            urls[service] = conninfo.make_conninfo(admin_url, user=role_of(service), password=password)
            _migrate(service, urls[service], shards)
    return urls


def role_of(service: str) -> str:
    """The login role of a service."""
    return f"portico_{service}"


def _make_role(admin: psycopg.Connection[tuple[object, ...]], service: str, password: str) -> None:
    role, schema = sql.Identifier(role_of(service)), sql.Identifier(service)
    exists = admin.execute("SELECT FROM pg_roles WHERE rolname = %s", (role_of(service),)).fetchone()
    if exists is None:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
    admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password)))
    admin.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
    admin.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(schema, role))
    database = sql.Identifier(admin.info.dbname)
    admin.execute(sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path = {}").format(role, database, schema))
    admin.execute(sql.SQL("GRANT USAGE ON SCHEMA keyring TO {}").format(role))
    admin.execute(sql.SQL("GRANT SELECT, INSERT ON keyring.keys TO {}").format(role))
    if service == "identity":
        admin.execute(sql.SQL("GRANT UPDATE ON keyring.keys TO {}").format(role))


def _migrate(service: str, url: str, shards: int) -> None:
    folders = [MIGRATIONS / "versions", SERVICES / service / "migrations" / "versions"]
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", ":".join(str(folder) for folder in folders if folder.is_dir()))
    engine = create_engine(_sqlalchemy_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "heads")
        connection.commit()
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as own:
        own.execute(
            "INSERT INTO heads (shard) SELECT generate_series(0, %s) WHERE NOT EXISTS (SELECT FROM heads)",
            (shards - 1,),
        )
        own.execute("INSERT INTO relay_cursors (shard) SELECT shard FROM heads ON CONFLICT DO NOTHING")


def _sqlalchemy_url(url: str) -> URL:
    """SQLAlchemy's form of a libpq URL or conninfo string."""
    parts = conninfo.conninfo_to_dict(url)
    query = {name: str(value) for name, value in parts.items() if name not in {"user", "password"}}
    return make_url("postgresql+psycopg://").set(
        username=str(parts["user"]), password=str(parts.get("password", "")), query=query
    )
