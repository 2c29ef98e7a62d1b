"""Services and peers as processes of their own, the keys that their tokens are checked with, and who may call."""

from __future__ import annotations

import functools
import http.client
import http.server
import json
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from joserfc.jwk import OKPKey

from bench.scene import Site
from chassis.auth import Principal, generate_key, issue
from cli.stack.ports import HOST, free_port
from cli.stack.programs import Program, running, spawn, stop
from cli.stack.services import answers_ready

TOKEN_HOURS = 2
READY_SECONDS = 300.0
SERVE = (sys.executable, "-m", "cli.main", "serve")


@dataclass(frozen=True)
class Authority:
    """Stands in for identity: signs tokens and serves the key."""

    url: str
    key: OKPKey

    def headers(self, principal: Principal) -> dict[str, str]:
        token = issue(self.key, principal.claims(), timedelta(hours=TOKEN_HOURS))
        return {"Authorization": f"Bearer {token}"}


@contextmanager
def authority() -> Iterator[Authority]:
    """Serves the JWKS as long as the block lasts."""
    key = generate_key()
    body = json.dumps({"keys": [key.as_dict(private=False)]}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield Authority(f"http://{HOST}:{server.server_port}", key)
        finally:
            server.shutdown()


@contextmanager
def service(site: Site, name: str, folder: Path, command: Sequence[str] = SERVE) -> Iterator[int]:
    """A service of the site as `portico up` runs it; yields its port when it is ready."""
    port = free_port()
    with running(service_program(site, name, folder, command, port)):
        yield port


@contextmanager
def starting_service(site: Site, name: str, folder: Path) -> Iterator[None]:
    """The same while it still starts: for work that it begins before it calls itself ready."""
    program = service_program(site, name, folder, SERVE, free_port())
    process = spawn(program)
    try:
        yield
    finally:
        stop(process, program)


def service_program(site: Site, name: str, folder: Path, command: Sequence[str], port: int) -> Program:
    """How one instance of a service is run."""
    settings = site.settings(name)
    environment = {
        "PORTICO_DATABASE_URL": site.urls[name],
        "PORTICO_KAFKA_SERVERS": settings.kafka_servers,
        "PORTICO_TOPIC_PREFIX": settings.topic_prefix,
        "PORTICO_SHARDS": str(settings.shards),
        "PORTICO_MASTER_KEY": settings.master_key.get_secret_value(),
        "PORTICO_IDENTITY_URL": settings.identity_url,
        "PORTICO_OBJECTS_URL": settings.objects_url,
        "PORTICO_LOG_LEVEL": "WARNING",
        "PORTICO_HOST": HOST,
        "PORTICO_PORT": str(port),
    }
    return Program(
        name=name,
        command=(*command, name),
        log=folder / "logs" / f"{name}-{port}.log",
        ready=functools.partial(answers_ready, port),
        environment=environment,
        ready_seconds=READY_SECONDS,
    )


@contextmanager
def bare_fastapi(folder: Path) -> Iterator[int]:
    """FastAPI alone on the same server software with the same settings."""
    port = free_port()
    program = Program(
        name="fastapi",
        command=(
            *(sys.executable, "-m", "uvicorn", "bench.peers.bare_fastapi:app", "--host", HOST, "--port", str(port)),
            *("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"),
        ),
        log=folder / "logs" / f"fastapi-{port}.log",
        ready=functools.partial(_answers, port),
    )
    with running(program):
        yield port


def _answers(port: int) -> bool:

    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/constant")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def ask(url: str, query: str, *parameters: object) -> Any:
    """The first value that a query answers."""
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        row = connection.execute(query, parameters).fetchone()
        return row[0] if row else None
