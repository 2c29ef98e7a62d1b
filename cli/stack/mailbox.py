"""The development mailbox: takes every mail over SMTP, sends none on, and shows them on a local page and as JSON."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from jinja2 import Environment, PackageLoader
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from cli.stack.mail_store import Mail, MailStore
from cli.stack.ports import HOST

LARGEST_MAIL_BYTES = 10_000_000
SHOWN_MAILS = 200
TEMPLATES = Environment(loader=PackageLoader("cli.stack", "pages"), autoescape=True)
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
)


def application(store: MailStore, smtp_port: int) -> Starlette:
    """The web side, which also runs the SMTP side for as long as it lives."""

    @asynccontextmanager
    async def smtp(_: Starlette) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _smtp_session(store), HOST, smtp_port)
        try:
            yield
        finally:
            server.close()

    pages = Pages(store)
    routes = [
        Route("/", pages.mails),
        Route("/messages/{mail}", pages.mails),
        Route("/messages/{mail}/html", pages.html_part),
        Route("/api/messages", pages.messages),
        Route("/health/ready", pages.ready),
        Route("/mailbox.css", pages.style),
        Route("/mailbox.js", pages.script),
    ]
    return Starlette(routes=routes, lifespan=smtp)


@dataclass(frozen=True)
class Pages:
    """What the web side answers."""

    store: MailStore

    async def mails(self, request: Request) -> Response:
        name = request.path_params.get("mail")
        query = request.query_params.get("to", "")
        mails = self.store.newest(SHOWN_MAILS, query)
        shown = self.store.get(name) if name else next(iter(mails), None)
        if name and shown is None:
            return PlainTextResponse("This mail is not here (any more).", 404)
        html = TEMPLATES.get_template("mailbox.html").render(mails=mails, shown=shown, query=query, when=_when)
        return HTMLResponse(html, headers={"Content-Security-Policy": PAGE_POLICY})

    async def html_part(self, request: Request) -> Response:
        mail = self.store.get(request.path_params["mail"])
        if mail is None or not mail.html:
            return PlainTextResponse("This mail has no HTML part.", 404)
        return HTMLResponse(mail.html, headers={"Content-Security-Policy": MAIL_POLICY})

    async def messages(self, request: Request) -> Response:
        """`?limit=` up to SHOWN_MAILS, `?to=` a part of the addressee; the newest first."""
        limit = request.query_params.get("limit", "50")
        if not limit.isdecimal() or not 1 <= int(limit) <= SHOWN_MAILS:
            return JSONResponse({"detail": f"limit is a number from 1 to {SHOWN_MAILS}"}, 400)
        mails = self.store.newest(int(limit), request.query_params.get("to", ""))
        return JSONResponse([_as_json(mail, str(request.base_url)) for mail in mails])

    async def style(self, _: Request) -> Response:
        return Response(TEMPLATES.get_template("mailbox.css").render(), media_type="text/css")

    async def script(self, _: Request) -> Response:
        return Response(TEMPLATES.get_template("mailbox.js").render(), media_type="text/javascript")

    async def ready(self, _: Request) -> Response:
        return JSONResponse({"ready": True})


def _smtp_session(store: MailStore) -> SMTP:
    class Sink:
        async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
            store.add(_bytes(envelope.content))
            return "250 Message accepted"

    return SMTP(Sink(), data_size_limit=LARGEST_MAIL_BYTES, enable_SMTPUTF8=True, hostname="localhost")


def _bytes(content: bytes | str | None) -> bytes:
    return content.encode() if isinstance(content, str) else content or b""


def _as_json(mail: Mail, base: str) -> dict[str, Any]:
    return {
        "id": mail.id,
        "to": mail.to,
        "from": mail.sender,
        "subject": mail.subject,
        "date": mail.date,
        "text": mail.text,
        "html": mail.html,
        "attachments": list(mail.attachments),
        "link": f"{base}messages/{mail.id}",
    }


def _when(mail: Mail) -> str:
    try:
        return f"{parsedate_to_datetime(mail.date):%d %b %Y, %H:%M}"
    except ValueError:
        return mail.date


def main() -> None:
    """`python -m cli.stack.mailbox FOLDER WEB_PORT SMTP_PORT`"""
    folder, web_port, smtp_port = sys.argv[1:]
    uvicorn.run(
        application(MailStore(Path(folder)), int(smtp_port)),
        host=HOST,
        port=int(web_port),
        log_level="warning",
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main()
