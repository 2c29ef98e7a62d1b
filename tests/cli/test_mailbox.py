"""The development mailbox, over real SMTP and HTTP."""

import smtplib
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import httpx
import pytest

from cli.stack.mail_store import MailStore
from cli.stack.ports import HOST, free_ports
from cli.stack.programs import Program, running
from cli.stack.services import answers_ready


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, int]]:
    folder = tmp_path_factory.mktemp("mail")
    web_port, smtp_port = free_ports(2)
    program = Program(
        name="mailbox",
        command=(sys.executable, "-m", "cli.stack.mailbox", str(folder / "mail"), str(web_port), str(smtp_port)),
        log=folder / "mailbox.log",
        ready=partial(answers_ready, web_port),
    )
    with running(program), httpx.Client(base_url=f"http://{HOST}:{web_port}") as client:
        yield client, smtp_port


def send(smtp_port: int, to: str, subject: str, html: str = "") -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "portal@example.org", to, subject
    message["Date"] = "Tue, 03 Nov 2026 10:15:00 +0000"
    message.set_content("Ihr Abschlag: 85,00 €")
    if html:
        message.add_alternative(html, subtype="html")
    with smtplib.SMTP(HOST, smtp_port, timeout=5) as client:
        client.send_message(message)


def test_an_empty_mailbox_says_so(mailbox: tuple[httpx.Client, int]) -> None:
    assert "Nobody of this name got a mail" in mailbox[0].get("/", params={"to": "nobody@"}).text


def test_mails_are_listed_newest_first_and_found_by_addressee(mailbox: tuple[httpx.Client, int]) -> None:
    client, smtp_port = mailbox
    send(smtp_port, "anna@example.org", "Abschlag geändert")
    send(smtp_port, "ben@example.org", "Abschlag bestätigt", html="<p>Gut</p>")
    newest, older = client.get("/api/messages", params={"limit": 2}).json()
    assert (newest["subject"], newest["html"].strip()) == ("Abschlag bestätigt", "<p>Gut</p>")
    assert (older["to"], older["subject"]) == ("anna@example.org", "Abschlag geändert")
    assert older["text"].strip() == "Ihr Abschlag: 85,00 €"
    assert [mail["to"] for mail in client.get("/api/messages", params={"to": "ANNA@"}).json()] == ["anna@example.org"]
    page = client.get(older["link"])
    assert "85,00 €" in page.text
    assert "3 Nov 2026, 10:15" in page.text


def test_a_mail_can_do_no_harm(mailbox: tuple[httpx.Client, int]) -> None:
    client, smtp_port = mailbox
    send(smtp_port, "eve@example.org", "<script>alert(1)</script>", html="<script>alert(2)</script>")
    [mail] = client.get("/api/messages", params={"to": "eve@"}).json()
    page = client.get(mail["link"])
    assert "alert(1)" in page.text
    assert "<script>alert" not in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    body = client.get(f"{mail['link']}/html")
    assert body.headers["content-security-policy"].startswith("sandbox ")
    assert "script-src" not in body.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/messages/none", "/messages/none/html", "/messages/..%2f..%2fx"])
def test_an_unknown_mail_is_not_found(mailbox: tuple[httpx.Client, int], path: str) -> None:
    assert mailbox[0].get(path).status_code == 404


@pytest.mark.parametrize("limit", ["0", "201", "many", "-1"])
def test_the_list_is_bounded(mailbox: tuple[httpx.Client, int], limit: str) -> None:
    assert mailbox[0].get("/api/messages", params={"limit": limit}).status_code == 400


def test_old_mails_make_room(tmp_path: Path) -> None:
    store = MailStore(tmp_path / "mail", kept=3)
    for number in range(5):
        store.add(f"Subject: {number}\r\n\r\nbody".encode())
    assert [mail.subject for mail in store.newest(10)] == ["4", "3", "2"]


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"Subject: x\r\nContent-Type: text/plain; charset=lamp\r\n\r\n\xe4"]
)
def test_broken_mails_are_shown_as_far_as_possible(tmp_path: Path, content: bytes) -> None:
    store = MailStore(tmp_path / "mail")
    name = store.add(content)
    mail = store.get(name)
    assert mail is not None
    assert mail.id == name
