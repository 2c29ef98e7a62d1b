"""`portico status` and `portico env`, against services that answer, refuse, or are not there."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from rich.console import Console

from cli.env import addresses
from cli.stack.ports import HOST, free_port
from cli.stack.state import Record
from cli.status import ask, show

BUSY = {
    "service": "billing",
    "ready": True,
    "relay": [{"shard": 0, "head": 1200, "published": 1196, "backlog": 4}, {"shard": 1, "head": 0, "backlog": 0}],
    "consumers": [
        {"name": "view:page", "topic": "portico.billing", "partition": 2, "position": 90, "lag": 7},
        {"name": "view:idle", "topic": "portico.billing", "partition": 3, "position": 5, "lag": 0},
        {
            "name": "view:old",
            "topic": "portico.billing",
            "partition": 1,
            "position": 77,
            "lag": 0,
            "stopped_at_gap": True,
        },
    ],
    "rebuilds": [
        {
            "name": "page",
            "rebuild": {"source": "log", "started_at": "2026-11-21T12:00:00", "applied": 5, "to_apply": 12},
        }
    ],
    "parked": [
        {"consumer": "view:page", "stream": "instalments/4f1c", "count": 2, "error": "KeyError: [amount]"}
        | {"position": "billing/2:91"}
    ],
}


class Answers(http.server.BaseHTTPRequestHandler):
    """Path -> (status, body); tokens other than `good` are refused by /ops."""

    answers: dict[str, tuple[int, Any]]

    def do_GET(self) -> None:
        status, body = self.answers[self.path]
        if self.path.startswith("/ops") and self.headers["Authorization"] != "Bearer good":
            status, body = 401, {}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def service(ready: int = 200) -> Iterator[str]:
    answers = {"/health/ready": (ready, {}), "/ops/status": (200, {**BUSY, "ready": ready == 200})}
    handler = type("Handler", (Answers,), {"answers": answers})
    with http.server.ThreadingHTTPServer((HOST, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_port}"
        server.shutdown()


def shown(answers: list[dict[str, Any]]) -> str:
    console = Console(width=140, force_terminal=False)
    with console.capture() as capture:
        show(console, answers)
    return capture.get()


def test_a_service_tells_what_it_has_to_do() -> None:
    with service() as url:
        answer = ask("billing", url, "good")
    assert answer == {**BUSY, "url": url}
    text = shown([answer])
    line = next(line for line in text.splitlines() if line.startswith("billing "))
    assert line.split() == ["billing", "ready", "1,200", "4", "7", "2"]
    assert "view:page" in text
    assert "view:idle" not in text
    assert "KeyError: [amount]" in text
    assert "billing/2:91" in text
    stopped = text[text.index("Stopped: an event is missing") :].splitlines()
    assert stopped[2].split() == ["billing/view:old", "portico.billing", "1", "77"]
    rebuilt = text[text.index("Being rebuilt") :].splitlines()
    assert rebuilt[2].split() == ["billing/page", "log", "2026-11-21T12:00:00", "5", "12"]


def test_readiness_shows_even_without_a_token() -> None:
    with service() as url:
        answer = ask("billing", url, "")
    assert answer["ready"] is True
    assert "401" in answer["error"]
    assert answer["relay"] == []


@pytest.mark.parametrize("ready", [503])
def test_a_service_that_is_not_ready_says_so(ready: int) -> None:
    with service(ready) as url:
        assert ask("billing", url, "good")["ready"] is False


def test_a_service_that_is_not_there_is_not_ready() -> None:
    answer = ask("billing", f"http://{HOST}:{free_port()}", "good")
    assert answer["ready"] is False
    assert "refused" in answer["error"]
    assert "not ready" in shown([answer])


def test_addresses_fit_the_tools() -> None:
    record = Record(
        pid=1,
        ready=True,
        database_url="postgresql://portico:p%40ss@127.0.0.1:5433/portico",
        kafka_servers="127.0.0.1:9094",
        smtp_url="smtp://127.0.0.1:1025",
        mailbox_url="",
        services={"billing": "http://127.0.0.1:8402"},
        ports={},
    )
    found = addresses(record)
    assert (found["PGPASSWORD"], found["PGPORT"], found["PGDATABASE"]) == ("p@ss", "5433", "portico")
    assert found["PORTICO_BILLING_URL"] == "http://127.0.0.1:8402"
    assert "PORTICO_MAILBOX_URL" not in found
