"""`portico events` with `--reveal`: personal values for a reason, asked of identity, or nothing at all."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from services.identity.reveals.api import Revealed, Wanted
from tests.cli.events.conftest import Topics, at


class Identity(BaseHTTPRequestHandler):
    """Speaks as identity does, and notes what it was asked."""

    asked: list[tuple[str, Wanted]]
    plain: dict[str, str | None]
    refuses = False

    def do_POST(self) -> None:
        wanted = Wanted.model_validate_json(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.headers["Authorization"], wanted))
        values = [self.plain.get(box.box) for box in wanted.boxes]
        answer = Revealed(reveal_id="1", values=list(values)).model_dump_json().encode()
        self.send_response(403 if self.refuses else 200)
        self.end_headers()
        self.wfile.write(b'{"detail": "Your role may not do this."}' if self.refuses else answer)

    def log_message(self, *_: object) -> None:
        """Nothing: the output belongs to the command."""


@pytest.fixture
def identity() -> Iterator[tuple[type[Identity], str]]:
    handler = type("Handler", (Identity,), {"asked": [], "plain": {"AAAA": "anna@example.org"}})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_reveal_shows_personal_values_for_a_reason(story: Topics, identity: tuple[type[Identity], str]) -> None:
    handler, url = identity
    gone = story.event(
        "notifications", "MessageSent", "message/2", 9, {"recipient": {"sealed": "contact/2", "box": "BBBB"}}
    )
    empty = story.event(
        "notifications", "MessageSent", "message/3", 9, {"recipient": {"sealed": "contact/3", "box": ""}}
    )
    story.publish(gone, empty)
    shown = story.run("tail", "--no-follow", "--reveal", "Complaint 118", PORTICO_IDENTITY_URL=url).stdout
    assert "recipient anna@example.org" in shown
    assert "recipient [erased contact/2]" in shown
    assert "recipient [erased contact/3]" in shown
    assert {(token, wanted.reason) for token, wanted in handler.asked} == {("Bearer a-token", "Complaint 118")}
    assert sorted(box.box for _, wanted in handler.asked for box in wanted.boxes) == ["AAAA", "BBBB"]
    as_json = story.run("show", str(gone.position), "--json", "--reveal", "Complaint 118", PORTICO_IDENTITY_URL=url)
    assert json.loads(as_json.stdout)["data"] == {"recipient": {"erased": "contact/2"}}


def test_reveal_that_is_refused_shows_nothing(story: Topics, identity: tuple[type[Identity], str]) -> None:
    handler, url = identity
    handler.refuses = True
    result = story.run("show", at(story, 3)[0], "--reveal", "Curious", PORTICO_IDENTITY_URL=url)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "Your role may not do this." in result.stderr
