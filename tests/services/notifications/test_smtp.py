"""Against a real mail server: what is accepted, tried again, given up, and what nobody can know."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.notifications.messages.smtp import Accepted, Ambiguous, Outcome, Permanent, Server, Session, Transient
from tests.services.notifications.mailserver import MailServer, mail_server

MAIL = b"From: portal@example.org\r\nTo: anna@example.org\r\nSubject: Hallo\r\n\r\n.\r\nText\r\n"


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as running:
        yield running


async def send(server: MailServer, times: int = 1, timeout_seconds: float = 5) -> list[Outcome]:
    session = Session(replace(Server.parse(server.url), timeout_seconds=timeout_seconds))
    try:
        return [await session.send("portal@example.org", "anna@example.org", MAIL) for _ in range(times)]
    finally:
        await session.close()


async def test_several_mails_go_over_one_connection(server: MailServer) -> None:
    assert await send(server, 3) == [Accepted(), Accepted(), Accepted()]
    assert server.connections == 1
    assert server.subjects == ["Hallo"] * 3
    assert server.mails[0].get_content() == ".\r\nText\r\n"


async def test_a_server_that_is_down_is_asked_once_in_a_session(server: MailServer) -> None:
    await server.stop()
    assert await send(server, 2) == [Transient("smtp_unreachable")] * 2
    await server.start()
    assert await send(server) == [Accepted()]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("550 5.1.1 <anna@example.org>: no such user", Permanent("smtp_refused", "550 5.1.1", no_mailbox=True)),
        ("554 5.7.1 relay access denied", Permanent("smtp_refused", "554 5.7.1")),
        ("550 go away", Permanent("smtp_refused", "550")),
        ("451 4.7.1 greylisted, come back later", Transient("smtp_deferred", "451 4.7.1")),
        ("452 mailbox full", Transient("smtp_deferred", "452")),
    ],
)
async def test_a_refused_recipient(server: MailServer, reply: str, expected: Outcome) -> None:
    server.recipient_reply = reply
    assert await send(server) == [expected]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("554 5.1.1 looks like spam", Permanent("smtp_refused", "554 5.1.1")),
        ("451 4.3.0 try again", Transient("smtp_deferred", "451 4.3.0")),
    ],
)
async def test_a_refused_mail(server: MailServer, reply: str, expected: Outcome) -> None:
    server.data_reply = reply
    assert await send(server) == [expected]
    assert server.mails == []


async def test_the_connection_serves_on_after_a_refusal(server: MailServer) -> None:
    server.recipient_reply = "550 5.1.1 no such user"
    session = Session(Server.parse(server.url))
    refused = await session.send("portal@example.org", "gone@example.org", MAIL)
    server.recipient_reply = "250 OK"
    accepted = await session.send("portal@example.org", "anna@example.org", MAIL)
    await session.close()
    assert (type(refused), accepted, server.connections) == (Permanent, Accepted(), 1)


async def test_a_refused_sender_is_our_mistake_and_can_be_mended(server: MailServer) -> None:
    server.sender_reply = "553 5.7.1 sender not allowed"
    assert await send(server) == [Transient("smtp_sender_refused", "553 5.7.1")]


async def test_an_answer_that_does_not_come_in_time_is_ambiguous(server: MailServer) -> None:
    server.answering.clear()
    assert await send(server, timeout_seconds=0.2) == [Ambiguous("smtp_timeout")]


async def test_a_connection_that_breaks_after_the_mail_is_ambiguous_and_opened_anew(server: MailServer) -> None:
    server.breaks_off = True
    session = Session(Server.parse(server.url))
    first = await session.send("portal@example.org", "anna@example.org", MAIL)
    server.breaks_off = False
    second = await session.send("portal@example.org", "anna@example.org", MAIL)
    await session.close()
    assert (first, second, server.connections) == (Ambiguous("smtp_interrupted"), Accepted(), 2)


async def test_a_connection_that_broke_between_two_mails_is_not_ambiguous(server: MailServer) -> None:
    session = Session(Server.parse(server.url))
    assert await session.send("portal@example.org", "anna@example.org", MAIL) == Accepted()
    await server.stop()
    await server.start()
    assert await session.send("portal@example.org", "anna@example.org", MAIL) == Transient("smtp_interrupted")
    assert await session.send("portal@example.org", "anna@example.org", MAIL) == Accepted()
    await session.close()


async def test_a_server_that_says_nothing_ends_in_time() -> None:
    async def silence(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)
        writer.close()

    silent = await asyncio.start_server(silence, "127.0.0.1", 0)
    session = Session(replace(Server("127.0.0.1", silent.sockets[0].getsockname()[1]), timeout_seconds=0.2))
    async with asyncio.timeout(5):
        assert await session.send("a@example.org", "b@example.org", MAIL) == Transient("smtp_unreachable")
    silent.close()


async def test_with_a_password_the_connection_is_encrypted(tmp_path: Path) -> None:
    server_side, client_side = contexts(tmp_path)
    async with mail_server(tls=server_side, login=("portal", "p@ss:word")) as server:
        target = Server.parse(f"smtp://portal:p%40ss%3Aword@localhost:{server.port}")
        session = Session(replace(target, tls=client_side))
        assert await session.send("portal@example.org", "anna@example.org", MAIL) == Accepted()
        await session.close()
        wrong = Session(replace(target, tls=client_side, password="wrong"))
        refused = await wrong.send("portal@example.org", "anna@example.org", MAIL)
        assert isinstance(refused, Transient)
        assert refused.reply is not None
        assert refused.reply.startswith("535")


async def test_a_password_is_not_sent_in_the_clear() -> None:
    async with mail_server() as server:
        session = Session(Server.parse(f"smtp://portal:secret@127.0.0.1:{server.port}"))
        assert isinstance(await session.send("portal@example.org", "anna@example.org", MAIL), Transient)
        assert server.mails == []


def test_addresses_of_servers() -> None:
    assert Server.parse("smtp://mail") == Server("mail", 25)
    assert Server.parse("smtp+starttls://mail") == Server("mail", 587, starttls=True)
    assert Server.parse("smtps://u:p@mail:1465") == Server("mail", 1465, "u", "p", implicit_tls=True, starttls=False)
    assert Server.parse("smtp://u:p@mail:2525") == Server("mail", 2525, "u", "p", starttls=True)
    assert Server.parse("smtp://mail?timeout_seconds=2.5") == Server("mail", 25, timeout_seconds=2.5)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail:25",
        "http://mail",
        "smtp://",
        "smtp://mail:port",
        "smtp://mail?timeout_seconds=0",
        "smtp://mail?timeout_seconds=nan",
        "smtp://mail?timeout_seconds=x",
        "smtp://mail?tls=no",
    ],
)
def test_what_is_no_address_of_a_server_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match=r"PORTICO_SMTP_URL|[Pp]ort|float"):
        Server.parse(url)


def contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS for a server on localhost, and a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    client = ssl.create_default_context(cafile=str(pem))
    return server, client
