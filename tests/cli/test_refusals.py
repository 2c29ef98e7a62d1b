"""What can be wrong with a machine before anything starts: each has a message of its own and a non-zero exit."""

import hashlib
import http.server
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from cli.problem import Problem
from cli.stack import jars, ports
from cli.stack.jars import Jar
from cli.stack.plan import make_plan
from cli.stack.ports import HOST, free_port
from cli.stack.state import State

REPOSITORY = Path(__file__).parents[2]


def portico(state: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with no setting of the caller's."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PORTICO_")}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=REPOSITORY,
        env={**clean, "PORTICO_STATE_DIR": str(state), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert "Traceback" not in said
    for word in words:
        assert word in said


def test_a_taken_port_is_named_with_its_holder_and_the_way_out(state: Path) -> None:
    with socket.create_server((HOST, 0)) as holder:
        port = holder.getsockname()[1]
        done = portico(state, "up", "--port-base", "0", "--port", f"kafka={port}")
    refused(done, f"Port {port} (for kafka) is taken", f"(process {os.getpid()})", f"--port kafka={port + 1}")


def test_a_second_up_on_the_same_state_is_refused(state: Path) -> None:
    with State(state).locked():
        refused(portico(state, "up", "--fresh"), "already runs", f"process {os.getpid()}", "portico down")


def test_a_full_disk_is_said_up_front(state: Path) -> None:
    state.mkdir()
    with pytest.raises(Problem, match=r"The disk of .* is full"):
        State(state).refuse_full_disk(minimum_free_bytes=2**62)


def test_an_unknown_part_is_refused_with_the_known_ones(state: Path) -> None:
    refused(portico(state, "up", "--port", "lamp=1"), "'lamp=1'", "postgres")


@pytest.mark.parametrize("command", ["status", "env"])
def test_nothing_to_ask_when_nothing_runs(state: Path, command: str) -> None:
    refused(portico(state, command), "No Portico runs", "portico up")


def test_down_with_nothing_running_is_no_error(state: Path) -> None:
    done = portico(state, "down")
    assert (done.returncode, "No Portico runs" in done.stdout) == (0, True)


def test_free_ports_differ_and_a_base_moves_all() -> None:
    assert len(set(ports.choose(0).values())) == len(ports.DEFAULTS)
    moved = ports.choose(18400, {"kafka": 9})
    assert (moved["identity"], moved["portal"], moved["kafka"]) == (18400, 18404, 9)
    assert len(set(ports.choose(18400).values())) == len(ports.DEFAULTS)


def test_fresh_deletes_all_but_the_lock(state: Path) -> None:
    with State(state).locked():
        (state / "postgres").mkdir()
        (state / "secrets.json").touch()
        State(state).wipe()
        assert [path.name for path in state.iterdir()] == ["up.lock"]


def test_secrets_are_private_and_stay(state: Path) -> None:
    state.mkdir()
    first = State(state).secrets()
    assert State(state).secrets() == first
    assert (state / "secrets.json").stat().st_mode & 0o077 == 0


class Repository(http.server.BaseHTTPRequestHandler):
    """A Maven repository whose every file has the next of the given contents."""

    contents: list[bytes]
    asked: list[str]

    def do_GET(self) -> None:
        if not self.path.endswith(".jar"):
            self.send_error(404)
            return
        self.asked.append(self.path)
        content = self.contents[min(len(self.asked), len(self.contents)) - 1]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def repository(*contents: bytes) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    handler = type("Handler", (Repository,), {"contents": list(contents), "asked": asked})
    with http.server.ThreadingHTTPServer((HOST, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_port}", asked
        server.shutdown()


@pytest.fixture
def lamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jar:
    """A lock file with one jar, whose right content is b"light"."""
    monkeypatch.setenv("PORTICO_CACHE_DIR", str(tmp_path / "cache"))
    jar = Jar("org.example:lamp", "1.0", hashlib.sha256(b"light").hexdigest())
    monkeypatch.setattr(jars, "locked_jars", lambda: [jar])
    return jar


def from_repository(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr("jgo.maven._core.DEFAULT_REMOTE_REPOS", {"central": url})


def test_a_corrupted_download_is_tried_once_more(lamp: Jar, monkeypatch: pytest.MonkeyPatch) -> None:
    with repository(b"dark", b"light") as (url, asked):
        from_repository(monkeypatch, url)
        path = Path(jars.class_path())
        assert path.read_bytes() == b"light"
        assert len(asked) == 2
        jars.class_path()
        assert len(asked) == 2


def test_a_download_that_stays_corrupted_is_named_and_deleted(lamp: Jar, monkeypatch: pytest.MonkeyPatch) -> None:
    with repository(b"dark") as (url, asked):
        from_repository(monkeypatch, url)
        with pytest.raises(Problem, match=r"org.example:lamp 1.0 is corrupted") as raised:
            jars.class_path()
    assert lamp.sha256 in raised.value.message
    assert not isinstance(raised.value, jars.Unreachable)
    assert len(asked) == 2
    assert not list(jars.cache_folder().rglob("*.jar"))


def test_a_jar_that_went_bad_in_the_cache_is_fetched_again(lamp: Jar, monkeypatch: pytest.MonkeyPatch) -> None:
    with repository(b"light") as (url, asked):
        from_repository(monkeypatch, url)
        path = Path(jars.class_path())
        path.write_bytes(b"dark")
        assert Path(jars.class_path()).read_bytes() == b"light"
        assert len(asked) == 2


def test_without_a_network_a_stand_in_serves_with_a_warning(
    lamp: Jar, state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from_repository(monkeypatch, f"http://{HOST}:{free_port()}")
    monkeypatch.setenv("PORTICO_DATABASE_URL", "postgresql://admin:x@db.example.org/portico")
    monkeypatch.delenv("PORTICO_KAFKA_SERVERS", raising=False)
    state.mkdir()
    plan = make_plan(state=State(state), ports=ports.choose(0), last=None, console=Console(stderr=True, width=200))
    assert plan.stand_in is not None
    assert plan.record.kafka_servers == plan.stand_in.servers
    assert [server.name for server in plan.servers] == ["mailbox"]
    assert "forgets all topics" in capsys.readouterr().err
