"""Installs the peers once into a cache of their own, exactly as locked; where that fails the reason is kept."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cli.stack.jars import cache_folder

HERE = Path(__file__).parent
INSTALL_SECONDS = 600
RUN_SECONDS = 900


class Absent(Exception):
    """This peer cannot be run here; the message says why."""


@dataclass(frozen=True)
class Peer:
    """How a peer is run: its command, to which the name of the measure and options are added."""

    command: tuple[str, ...]
    folder: Path

    async def rate(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> float:
        """Runs one measure in a process of its own; returns the rate that it prints."""
        process = await asyncio.create_subprocess_exec(
            *self.command,
            *arguments,
            cwd=self.folder,
            env={**os.environ, **(environment or {})},
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(RUN_SECONDS):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode:
            raise RuntimeError(f"{self.command[-1]} {arguments[0]} ended with status {process.returncode}")
        return float(json.loads(output.splitlines()[-1])["rate"])


@cache
def python_peers(install: bool) -> Path:
    """The interpreter that has the packages of requirements.lock. Raises Absent."""
    lock = HERE / "requirements.lock"
    folder = _folder("python", lock)
    interpreter = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        _refuse_unless(install)
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True, symlinks=True)
        _install((str(interpreter), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(lock)), folder)
        (folder / ".ready").touch()
    return interpreter


def pyeventsourcing(install: bool) -> Peer:
    """pyeventsourcing, run by the peers' interpreter."""
    return Peer((str(python_peers(install)), str(HERE / "pyeventsourcing.py")), HERE)


@cache
def emmett(install: bool) -> Peer:
    """Emmett, run by node, which must be there. Raises Absent."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Absent("node and npm are not installed")
    folder = _folder("emmett", HERE / "emmett" / "package-lock.json")
    if not (folder / ".ready").exists():
        _refuse_unless(install)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "emmett" / name, folder)
        _install((npm, "ci", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved"), folder)
        (folder / ".ready").touch()
    shutil.copy(HERE / "emmett" / "bench.mjs", folder)
    return Peer((node, str(folder / "bench.mjs")), folder)


def _folder(name: str, lock: Path) -> Path:
    """A new one for every lock."""
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    return cache_folder() / "bench" / f"{name}-{digest}"


def _refuse_unless(install: bool) -> None:
    if not install:
        raise Absent("not installed; `make bench` installs it")


def _install(command: Sequence[str], folder: Path) -> None:
    sys.stderr.write(f"installing peers into {folder}\n")
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Absent(f"cannot be installed: {error}") from error
    if done.returncode:
        raise Absent(f"cannot be installed: {done.stderr.strip()[-300:]}")
