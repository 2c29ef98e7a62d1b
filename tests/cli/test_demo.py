"""`portico demo` as a person meets it: what a step looks like, and how it ends when one goes wrong."""

from __future__ import annotations

import io
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer
from rich.console import Console

from cli import demo
from cli.problem import Problem
from cli.stack.ports import DEFAULTS
from cli.stack.state import Record, State
from cli.story.account import Terminal
from cli.story.erp import Heard, Sent
from cli.story.people import MARIA, Visitor
from cli.story.stage import Place, StoryFailed

ID = "dac0e3b8-8490-5be9-ae3f-487e21eba1cc"
RECORD = Record(
    pid=1,
    ready=True,
    database_url="postgresql://nobody@127.0.0.1:1/x",
    kafka_servers="127.0.0.1:1",
    smtp_url="",
    mailbox_url="http://127.0.0.1:8025",
    services=dict.fromkeys(("identity", "entities", "billing", "notifications", "portal"), "http://127.0.0.1:1"),
    ports=dict(DEFAULTS),
)


def told(width: int) -> str:
    screen = io.StringIO()
    terminal = Terminal(Console(file=screen, width=width))
    terminal.chapter("A change")
    terminal.request("Anna", f"POST http://127.0.0.1:1/contracts/{ID}/instalment-changes", {"amount_cents": 1}, 409,
                     [("code", "below_lower_limit")])  # fmt: skip
    terminal.sent("ERP", Sent("portico.erp.in", 3, 7, "V-1", "portico.erp.InstalmentPlan.v1", {"contract": "V-1"}))
    terminal.event(Heard("portico.billing", 2, 9, "billing/2:10", "portico.billing.X.v1", 10, "s/1", {"amount": 5}))
    terminal.page("Her contract", f"http://127.0.0.1:1/contracts/{ID}", [("balance", "€1.00")])
    terminal.mail("anna@example.org", "Ihr Abschlag [bleibt]", "http://127.0.0.1:8025/messages/1")
    terminal.checked("It was so")
    terminal.remark("Then she slept.")
    return screen.getvalue()


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_step_says_what_where_and_with_which_outcome(width: int) -> None:
    text = told(width)
    for part in (
        "1  A change",
        "409",
        "below_lower_limit",
        "portico.erp.in · partition 3 · offset 7",
        "sequence 10",
        "€1.00",
        "Ihr Abschlag [bleibt]",
        "http://127.0.0.1:8025/messages/1",
        "✓  It was so",
    ):
        assert part in text
    assert ID not in text
    assert max(len(line) for line in text.splitlines()) <= width


@contextmanager
def stack(*_: object) -> Iterator[tuple[Record, bool]]:
    yield RECORD, True


def test_a_step_that_fails_is_said_in_red_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def perform(place: Place, count: int, console: Console) -> None:
        raise StoryFailed("the amount in force: 9500", 8500)

    monkeypatch.setattr(demo, "_running", stack)
    monkeypatch.setattr(demo, "_perform", perform)
    with pytest.raises(typer.Exit) as caught:
        demo.demo(keep=False, count=0)
    assert caught.value.exit_code == 1
    shown = capsys.readouterr().out
    assert "Expected the amount in force: 9500" in shown
    assert "but got 8500" in shown
    assert "What to try next" not in shown


def test_it_leaves_signals_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    async def perform(*_: object) -> list[Visitor]:
        assert signal.getsignal(signal.SIGTERM) is not before
        return []

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(demo, "_running", stack)
    monkeypatch.setattr(demo, "_perform", perform)
    demo.demo(keep=False, count=0)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_broker_that_does_not_answer_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_running", stack)
    with pytest.raises(Problem, match="cut off"):
        demo.demo(keep=False, count=0)


def test_it_waits_for_no_half_started_portico(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = State(tmp_path)
    with (
        state.locked(),
        pytest.raises(Problem, match="just starting"),
        demo._running(state, Console(file=io.StringIO())),
    ):
        pytest.fail("it does not get here")


def test_it_ends_in_what_to_try_next() -> None:
    screen = io.StringIO()
    demo._what_next(Console(file=screen, width=80), RECORD, stays=False)
    for part in ('portico env)"', "portico up", "kcat -b", "portico events tail", "curl ", RECORD.mailbox_url):
        assert part in screen.getvalue()


def test_it_says_who_can_sign_in_and_where_without_cutting_anything_off() -> None:
    screen = io.StringIO()
    demo._who_signs_in(Console(file=screen, width=60), RECORD, [MARIA])
    for part in (MARIA.email, MARIA.password, "http://customers.localhost:8411", "http://staff.localhost:8411"):
        assert part in screen.getvalue()
