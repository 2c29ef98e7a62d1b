"""A real mail server for tests, which can be slow, refuse, break off, ask for a password, or be down."""

import asyncio
import email
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

HOST = "127.0.0.1"


class MailServer:
    """What it received is in `mails`. Set the replies, or clear `answering` to let clients wait."""

    def __init__(self, tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None) -> None:
        self.mails: list[EmailMessage] = []
        self.connections = 0
        self.recipient_reply = self.sender_reply = self.data_reply = "250 OK"
        self.breaks_off = False
        self.answering = asyncio.Event()
        self.answering.set()
        self.port = 0
        self._tls = tls
        self._login = login
        self._server: asyncio.Server | None = None
        self._transports: set[asyncio.Transport] = set()

    @property
    def url(self) -> str:
        return f"smtp://{HOST}:{self.port}"

    @property
    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails]

    async def start(self) -> None:
        """On a free port at first, on the same one later."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for transport in self._transports:
                transport.abort()
            self._transports.clear()
            self._server = None

    async def mend(self) -> None:
        """Up again, quick, and takes everything."""
        self.recipient_reply = self.sender_reply = self.data_reply = "250 OK"
        self.answering.set()
        if self._server is None:
            await self.start()

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.sender_reply.startswith("250"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return self.sender_reply

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.recipient_reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient_reply

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        await self.answering.wait()
        if self.data_reply.startswith("250") and isinstance(envelope.content, bytes):
            mail = email.message_from_bytes(envelope.content, policy=default)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
        if self.breaks_off and isinstance(server.transport, asyncio.Transport):
            server.transport.abort()
        return self.data_reply

    def _session(self) -> SMTP:
        self.connections += 1
        session = _Remembered(
            self,
            hostname="localhost",
            tls_context=self._tls,
            require_starttls=self._tls is not None,
            authenticator=self._authenticate if self._login else None,
            auth_required=self._login is not None,
            auth_require_tls=True,
        )
        session.transports = self._transports
        return session

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> Any:
        assert isinstance(data, LoginPassword)
        accepted = self._login == (data.login.decode(), data.password.decode())
        return AuthResult(success=accepted, handled=False)


class _Remembered(SMTP):
    """An SMTP session whose connection can be cut from outside."""

    transports: set[asyncio.Transport]

    def connection_made(self, transport: Any) -> None:
        self.transports.add(transport)
        super().connection_made(transport)


@asynccontextmanager
async def mail_server(**options: Any) -> AsyncIterator[MailServer]:
    """A mail server for the length of the block."""
    server = MailServer(**options)
    await server.start()
    try:
        yield server
    finally:
        server.answering.set()
        await server.stop()
