"""The state folder: its lock (one `up` at a time), its secrets, and the addresses that other commands read."""

import base64
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cli.problem import Problem
from cli.stack.ports import SERVICES

MINIMUM_FREE_BYTES = 512 * 1024 * 1024
KEPT_WHEN_FRESH = {"up.lock", "up.log"}


def state_folder() -> Path:
    return Path(os.environ.get("PORTICO_STATE_DIR") or ".portico")


@dataclass(frozen=True)
class Secrets:
    """Made once per state folder: passwords of the database's admin and of each service's role, and two keys."""

    postgres: str
    master_key: str
    services: dict[str, str]
    gateway_key: str


@dataclass(frozen=True)
class Record:
    """What runs where. `embedded` names the parts that `up` started itself; `front_url` is the one address of all APIs.

    The URLs carry passwords.
    """

    pid: int
    ready: bool
    database_url: str
    kafka_servers: str
    smtp_url: str
    mailbox_url: str
    services: dict[str, str]
    ports: dict[str, int]
    front_url: str = ""
    embedded: list[str] = field(default_factory=list)
    pids: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """Paths in the state folder."""

    folder: Path

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def mail(self) -> Path:
        return self.folder / "mail"

    @property
    def objects(self) -> Path:
        """Where uploaded files are kept."""
        return self.folder / "objects"

    @property
    def children(self) -> Path:
        return self.folder / "children.json"

    @property
    def record_file(self) -> Path:
        return self.folder / "stack.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Ours alone for the length of the block; a Problem when another `up` has it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / "up.lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Problem(
                    f"Portico already runs on {self.folder}{_holder(lock)}.",
                    "Use it (`portico status`), stop it (`portico down`), or give this one another PORTICO_STATE_DIR.",
                ) from error
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def running_pid(self) -> int | None:
        """The process of the `up` that has this state, if there is one."""
        path = self.folder / "up.lock"
        if not path.exists():
            return None
        with path.open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read() or 0) or None
        return None

    def wipe(self) -> None:
        """Everything but the lock that the caller holds."""
        for path in self.folder.iterdir():
            if path.name in KEPT_WHEN_FRESH:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def refuse_full_disk(self, minimum_free_bytes: int = MINIMUM_FREE_BYTES) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < minimum_free_bytes:
            raise Problem(
                f"The disk of {self.folder.absolute()} is full: {free // 2**20} MB are left, "
                f"{minimum_free_bytes // 2**20} MB are needed.",
                "Make room, or set PORTICO_STATE_DIR to a folder on another disk.",
            )

    def secrets(self) -> Secrets:
        """Made at the first call, the same ever after."""
        path = self.folder / "secrets.json"
        stored = json.loads(path.read_text()) if path.exists() else {}
        services = stored.get("services", {})
        found = Secrets(
            postgres=stored.get("postgres") or secrets.token_hex(16),
            master_key=stored.get("master_key") or base64.b64encode(secrets.token_bytes(32)).decode(),
            services={name: services.get(name) or secrets.token_hex(16) for name in SERVICES},
            gateway_key=stored.get("gateway_key") or base64.b64encode(secrets.token_bytes(32)).decode(),
        )
        if asdict(found) != stored:
            write_private(path, asdict(found))
        return found

    def write_record(self, record: Record) -> None:
        write_private(self.record_file, asdict(record))

    def last_record(self) -> Record | None:
        """Of the stack that runs here, or of the last one that did."""
        if not self.record_file.exists():
            return None
        return Record(**json.loads(self.record_file.read_text()))

    def record(self) -> Record:
        """Of the stack that runs here; a Problem when none does."""
        found = self.last_record() if self.running_pid() else None
        if found is None:
            raise Problem(f"No Portico runs on {self.folder}.", "Start it with `portico up` (or `make up`).")
        return found


def write_private(path: Path, content: Any) -> None:
    """JSON that only its owner reads, replaced as a whole."""
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(content, indent=2))
    draft.replace(path)


def _holder(lock: Any) -> str:
    lock.seek(0)
    pid = lock.read().strip()
    return f" (process {pid})" if pid else ""
