"""The jars of the Kafka broker: pinned with their SHA-256 in kafka-jars.lock, fetched once, verified at every start."""

import fcntl
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from cli.problem import Problem

if TYPE_CHECKING:
    from jgo.maven._resolver import ProgressCallback

LOCK = Path(__file__).with_name("kafka-jars.lock")
PARALLEL_DOWNLOADS = 4
TIMEOUT_SECONDS = 30
ATTEMPTS = 2


class Unreachable(Problem):
    """The jars are not here and cannot be fetched either."""


@dataclass(frozen=True)
class Jar:
    """`name` is group:artifact."""

    name: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.name.replace(':', '-')}-{self.version}.jar"


def cache_folder() -> Path:
    """Shared by every clone of a user, so that a fresh one downloads nothing again."""
    chosen = os.environ.get("PORTICO_CACHE_DIR")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "portico"


def locked_jars(lock: Path = LOCK) -> list[Jar]:
    return [Jar(*line.split()) for line in lock.read_text().splitlines() if line and not line.startswith("#")]


def class_path() -> str:
    """Every locked jar, present and verified, as a Java class path. Downloads what is missing."""
    folder = cache_folder() / "jars"
    folder.mkdir(parents=True, exist_ok=True)
    jars = locked_jars()
    missing = [jar for jar in jars if not _verified(folder / jar.file_name, jar)]
    if missing:
        with _alone(folder):
            _download(folder, [jar for jar in missing if not _verified(folder / jar.file_name, jar)])
    return os.pathsep.join(str(folder / jar.file_name) for jar in jars)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(jar: Jar, folder: Path, on_progress: "ProgressCallback | None" = None) -> Path:
    """One jar from the Maven repository into a folder laid out as Maven does it, unverified."""
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415

    context = MavenContext(
        resolver=PythonResolver(progress_callback=on_progress), repo_cache=folder, timeout=TIMEOUT_SECONDS
    )
    group, artifact = jar.name.split(":")
    return context.project(group, artifact).at_version(jar.version).artifact().resolve()


def _verified(path: Path, jar: Jar) -> bool:
    return path.exists() and sha256_of(path) == jar.sha256


def _download(folder: Path, jars: list[Jar]) -> None:
    if not jars:
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[amount]}"))
    with (
        Progress(*columns, console=Console(stderr=True)) as progress,
        tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as draft,
        ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool,
    ):
        shown = _Shown(progress, progress.add_task("Downloading Kafka", total=len(jars), amount=""))
        try:
            for _ in pool.map(lambda jar: _fetch_verified(jar, Path(draft), folder, shown), jars):
                progress.advance(shown.task)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _fetch_verified(jar: Jar, draft: Path, folder: Path, shown: "_Shown") -> None:
    found = ""
    for _ in range(ATTEMPTS):
        try:
            path = fetch(jar, draft, shown.file)
        except (OSError, RuntimeError) as error:
            raise Unreachable(
                f"{jar.name} {jar.version} could not be downloaded.",
                f"Check the network and start again; what was fetched already is kept. The cause: {str(error)[:120]}",
            ) from error
        found = sha256_of(path)
        if found == jar.sha256:
            path.replace(folder / jar.file_name)
            return
        path.unlink()
    raise Problem(
        f"The download of {jar.name} {jar.version} is corrupted: its SHA-256 is {found}, {jar.sha256} was expected.",
        f"It was tried {ATTEMPTS} times and deleted. A proxy or mirror on the way may alter downloads.",
    )


class _Shown:
    """Adds up the bytes of parallel downloads on one progress bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self.progress = progress
        self.task = task
        self._bytes = 0
        self._lock = threading.Lock()

    @contextmanager
    def file(self, _name: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield self._add

    def _add(self, count: int) -> None:
        with self._lock:
            self._bytes += count
            self.progress.update(self.task, amount=f"{self._bytes / 1e6:.0f} MB")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two first starts at once download once."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
