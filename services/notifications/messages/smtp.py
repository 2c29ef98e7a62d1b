"""Hands mails to a mail server and says what came of it: accepted, to be tried again, refused, or nobody knows."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

TIMEOUT_SECONDS = 10.0
MAXIMUM_TIMEOUT_SECONDS = 15.0
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_ENHANCED_STATUS = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")
NO_SUCH_MAILBOX = "5.1.1"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server has taken the mail over."""


@dataclass(frozen=True, slots=True)
class Transient:
    """Not sent; another attempt may succeed."""

    reason: str
    reply: str | None = None


@dataclass(frozen=True, slots=True)
class Permanent:
    """Not sent, and no other attempt will change that. `reply` is the server's code without its words, which may
    hold the address; `no_mailbox`: the address does not exist."""

    reason: str
    reply: str | None = None
    no_mailbox: bool = False


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The connection was lost after the mail had gone out: it may have been accepted."""

    reason: str


Outcome = Accepted | Transient | Permanent | Ambiguous


@dataclass(frozen=True, slots=True)
class Server:
    """Where mails go. With a user name the connection is always encrypted; without, when the server offers it."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    implicit_tls: bool = False
    starttls: bool | None = None
    timeout_seconds: float = TIMEOUT_SECONDS
    tls: ssl.SSLContext | None = None

    @classmethod
    def parse(cls, url: str) -> Server:
        """Reads smtp://, smtp+starttls:// or smtps:// [user:password@]host[:port][?timeout_seconds=10].

        Raises ValueError otherwise.
        """
        parts = urlsplit(url)
        options = parse_qs(parts.query, strict_parsing=bool(parts.query))
        if parts.scheme not in PORTS or not parts.hostname or options.keys() - {"timeout_seconds"}:
            raise ValueError(
                "PORTICO_SMTP_URL: expected smtp://, smtp+starttls:// or smtps://[user:password@]host[:port]"
                "[?timeout_seconds=10]"
            )
        timeout_seconds = float(options.get("timeout_seconds", [str(TIMEOUT_SECONDS)])[0])
        if not 0 < timeout_seconds <= MAXIMUM_TIMEOUT_SECONDS:
            raise ValueError(f"PORTICO_SMTP_URL: timeout_seconds is above 0 and at most {MAXIMUM_TIMEOUT_SECONDS:g}")
        implicit = parts.scheme == "smtps"
        required = parts.scheme == "smtp+starttls" or (parts.username is not None and not implicit)
        return cls(
            host=parts.hostname,
            port=parts.port or PORTS[parts.scheme],
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            implicit_tls=implicit,
            starttls=False if implicit else (True if required else None),
            timeout_seconds=timeout_seconds,
        )


class Session:
    """One connection at a time, opened when first needed and used for several mails.

    When the server cannot be reached, it is not tried again in this session.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._client: SMTP | None = None
        self._unreachable: Transient | None = None

    async def send(self, sender: str, recipient: str, data: bytes) -> Outcome:
        """Sends one mail; never raises for what a mail server or a network can do."""
        client = await self._connected()
        if isinstance(client, Transient):
            return client
        try:
            await client.mail(sender)
            await client.rcpt(recipient)
        except SMTPRecipientRefused as error:
            await self._start_over(client)
            return _refused(error)
        except SMTPResponseException as error:
            await self._start_over(client)
            return Transient("smtp_sender_refused", _reply(error))
        except (SMTPException, OSError, ValueError):
            self._drop()
            return Transient("smtp_interrupted")
        return await self._data(client, data)

    async def close(self) -> None:
        """Says good-bye where somebody still listens."""
        client, self._client = self._client, None
        if client is not None:
            try:
                await client.quit()
            except (SMTPException, OSError):
                client.close()

    async def _data(self, client: SMTP, data: bytes) -> Outcome:
        try:
            await client.data(data)
        except SMTPDataError as error:
            await self._start_over(client)
            return _refused(error)
        except SMTPTimeoutError:
            self._drop()
            return Ambiguous("smtp_timeout")
        except (SMTPServerDisconnected, SMTPResponseException, OSError):
            self._drop()
            return Ambiguous("smtp_interrupted")
        return Accepted()

    async def _connected(self) -> SMTP | Transient:
        if self._client is not None:
            return self._client
        if self._unreachable is not None:
            return self._unreachable
        server = self._server
        client = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.implicit_tls,
            start_tls=server.starttls,
            timeout=server.timeout_seconds,
            tls_context=server.tls,
        )
        try:
            await client.connect()
            await client.ehlo()
        except SMTPResponseException as error:
            client.close()
            self._unreachable = Transient("smtp_unreachable", _reply(error))
            return self._unreachable
        except (SMTPException, OSError):
            client.close()
            self._unreachable = Transient("smtp_unreachable")
            return self._unreachable
        self._client = client
        return client

    async def _start_over(self, client: SMTP) -> None:
        try:
            await client.rset()
        except (SMTPException, OSError):
            self._drop()

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _refused(error: SMTPRecipientRefused | SMTPDataError) -> Outcome:
    reply = _reply(error)
    if not 500 <= error.code < 600:
        return Transient("smtp_deferred", reply)
    no_mailbox = isinstance(error, SMTPRecipientRefused) and NO_SUCH_MAILBOX in reply
    return Permanent("smtp_refused", reply, no_mailbox=no_mailbox)


def _reply(error: SMTPResponseException | SMTPRecipientRefused) -> str:
    status = _ENHANCED_STATUS.search(error.message)
    return f"{error.code} {status[0]}" if status else str(error.code)
