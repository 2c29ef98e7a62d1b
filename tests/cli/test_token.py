"""`portico token` and `portico machine`: what they print is a token that works, or says why there is none."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from chassis.provision import provision_database
from cli.problem import Problem
from cli.stack.ports import HOST, free_port
from cli.stack.state import Record
from cli.token import contact_id, development_token
from contracts.ids import record_id

REPOSITORY = Path(__file__).parents[2]


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An identity that always answers the same; yields its address and what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(orjson.loads(self.rfile.read(int(self.headers["Content-Length"]))) | {"path": self.path})
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with HTTPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_port}", asked
        server.shutdown()


def test_a_token_is_asked_for_with_the_contacts_id() -> None:
    with answering(200, b'{"access_token": "abc"}') as (url, asked):
        assert development_token(url, "customer", contact="K-1001", portal="customers") == "abc"
        assert development_token(url, "erp") == "abc"
    contact = {"contact_id": record_id("contact", "K-1001"), "portal_id": "customers"}
    nobody = {"subject": None, "portal_id": None, "path": "/development/token"}
    assert asked == [{**nobody, **contact, "role": "customer"}, {**nobody, "role": "erp"}]


def test_a_contact_is_named_by_id_or_external_id() -> None:
    id_ = record_id("contact", "K-1001")
    assert contact_id(id_) == contact_id(id_.upper()) == contact_id("K-1001") == id_


@pytest.mark.parametrize(("role", "word"), [("root", "no role"), ("customer", "belongs to a contact")])
def test_a_wrong_wish_is_a_problem(role: str, word: str) -> None:
    with pytest.raises(Problem, match=word):
        development_token("http://127.0.0.1:1", role)


def test_an_identity_that_is_away_or_refuses_is_a_problem() -> None:
    with pytest.raises(Problem, match="does not answer"):
        development_token(f"http://{HOST}:{free_port()}", "erp")
    with answering(200, b"<html>") as (url, _), pytest.raises(Problem, match="does not answer"):
        development_token(url, "erp")
    with (
        answering(403, b'{"detail": "Development only."}') as (url, _),
        pytest.raises(Problem, match="Development only"),
    ):
        development_token(url, "erp")


def portico(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PORTICO_")}
    command = [sys.executable, "-m", "cli.main", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, env=clean | environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_without_a_stack_both_commands_say_so(state: Path) -> None:
    for arguments in (["token"], ["machine", "add", "ops", "--role", "operator"]):
        done = portico(*arguments, PORTICO_STATE_DIR=str(state))
        assert (done.returncode, done.stdout) == (1, "")
        assert "no portico" in done.stderr.lower()
        assert "Traceback" not in done.stderr


def test_the_first_operator_is_registered_with_the_databases_address(database: str, state: Path) -> None:
    url = provision_database(database, {"identity": "identity-secret"}, 4)["identity"]
    environment = {"PORTICO_STATE_DIR": str(state), "PORTICO_DATABASE_URL": url}
    done = portico("machine", "add", "ops", "--role", "operator", **environment)
    assert done.returncode == 0, done.stderr
    printed = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert list(printed) == ["PORTICO_CLIENT_ID", "PORTICO_CLIENT_SECRET"]
    assert printed["PORTICO_CLIENT_ID"] == record_id("machine", "ops")
    again = portico("machine", "add", "ops", "--role", "operator", **environment)
    assert (again.returncode, again.stdout) == (1, "")
    assert "machine named ops already" in again.stderr
    away = portico(
        "machine", "add", "o", "--role", "erp", **environment | {"PORTICO_DATABASE_URL": f"host={HOST} port=1"}
    )
    assert away.returncode == 1
    assert "cannot be used" in away.stderr
    assert "Traceback" not in away.stderr


def test_no_service_says_what_serves_it(stack: Record) -> None:
    for url in stack.services.values():
        answer = httpx.get(f"{url}/health/ready", timeout=10)
        assert answer.status_code == 200
        assert "server" not in answer.headers


def test_every_service_accepts_identitys_tokens(stack: Record) -> None:
    token = development_token(stack.services["identity"], "operator")
    for url in stack.services.values():
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{url}/ops/status", headers=headers, timeout=10).status_code == 200
        refused = httpx.get(f"{url}/ops/status", headers={"Authorization": f"Bearer {token[:-5]}AAAAA"}, timeout=10)
        assert (refused.status_code, refused.json()["code"]) == (401, "token_invalid")
