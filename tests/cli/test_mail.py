"""`portico mail` against the real mailbox."""

import json
import smtplib
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from cli.stack.ports import HOST, free_ports
from cli.stack.programs import Program, running
from cli.stack.services import answers_ready
from cli.stack.state import Record, State


@pytest.fixture
def smtp_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A state folder whose stack is a mailbox and nothing else."""
    state = State(tmp_path / ".portico")
    web_port, smtp_port = free_ports(2)
    program = Program(
        name="mailbox",
        command=(sys.executable, "-m", "cli.stack.mailbox", str(state.mail), str(web_port), str(smtp_port)),
        log=tmp_path / "mailbox.log",
        ready=partial(answers_ready, web_port),
    )
    monkeypatch.setenv("PORTICO_STATE_DIR", str(state.folder))
    monkeypatch.setenv("COLUMNS", "100")
    with state.locked(), running(program):
        state.write_record(
            Record(
                pid=0,
                ready=True,
                database_url="",
                kafka_servers="",
                smtp_url=f"smtp://{HOST}:{smtp_port}",
                mailbox_url=f"http://{HOST}:{web_port}",
                services={},
                ports={},
            )
        )
        yield smtp_port


def send(smtp_port: int, to: str, subject: str, text: str = "Guten Tag") -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "portal@example.org", to, subject
    mail["Date"] = "Tue, 03 Nov 2026 10:15:00 +0000"
    mail.set_content(text)
    with smtplib.SMTP(HOST, smtp_port, timeout=5) as client:
        client.send_message(mail)


def portico(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["mail", *arguments])


def test_mails_are_listed_the_newest_first(smtp_port: int) -> None:
    assert "No mail yet" in portico().stdout
    send(smtp_port, "anna@example.org", "Wunsch eingegangen")
    send(smtp_port, "ben@example.org", "Abschlag [bold]bestätigt[/]")
    listed = portico()
    assert listed.exit_code == 0
    lines = listed.stdout.splitlines()
    assert "Abschlag [bold]bestätigt[/]" in lines[1]
    assert "anna@example.org" in lines[2]
    assert "anna" not in portico("--to", "ben").stdout
    assert [mail["to"] for mail in json.loads(portico("--json", "-n", "1").stdout)] == ["ben@example.org"]


def test_a_mail_is_shown_as_text_that_a_terminal_does_not_obey(smtp_port: int) -> None:
    send(smtp_port, "anna@example.org", "Wunsch eingegangen", "Ihr Abschlag: 78,00\xa0€\x1b[2J\n[red]Grüße[/]")
    shown = portico("show", "1")
    assert shown.exit_code == 0
    assert "78,00\xa0€[2J" in shown.stdout
    assert "[red]Grüße[/]" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert "/messages/" in shown.stdout
    assert json.loads(portico("show", "1", "--json").stdout)["subject"] == "Wunsch eingegangen"


def test_what_is_not_there_is_said(smtp_port: int) -> None:
    refused = portico("show", "3")
    assert refused.exit_code == 1
    assert "There is no mail number 3" in refused.stderr


def test_without_a_running_stack_there_is_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_STATE_DIR", str(tmp_path / "none"))
    refused = portico()
    assert refused.exit_code == 1
    assert "portico up" in refused.stderr
