"""Makes the mail itself: headers that nobody can inject into, and the same text as plain text and HTML."""

from __future__ import annotations

from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from uuid import UUID, uuid5

from contracts.common import Language
from services.notifications.templates.render import Rendered, one_line

POLICY = SMTP.clone(cte_type="7bit")


class InvalidAddress(ValueError):
    """Not an address that a mail can go to."""


def mailbox(address: str) -> str:
    """An address as SMTP takes it, the domain in its ASCII form; raises InvalidAddress."""
    local, at, domain = address.strip().rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode("ascii")
        parsed = Address(addr_spec=f"{local}{at}{ascii_domain}")
    except (UnicodeError, HeaderParseError, ValueError, IndexError) as error:
        raise InvalidAddress("not an e-mail address") from error
    plain = f"{parsed.username}@{parsed.domain}"
    if not (parsed.username and parsed.domain and plain.isascii() and plain.isprintable()) or " " in plain:
        raise InvalidAddress("not an e-mail address")
    return plain


def message_id(id_: str, resends: int, domain: str) -> str:
    """The Message-ID of a message: the same at every attempt, another when it is sent once more on request."""
    return f"<{uuid5(UUID(id_), str(resends))}@{domain}>"


def compose(
    *,
    id_: str,
    resends: int,
    mail_from: str,
    portal_name: str,
    recipient: str,
    language: Language,
    rendered: Rendered,
    now: datetime,
) -> EmailMessage:
    """A mail from the portal; `recipient` comes from `mailbox`."""
    sender = mailbox(parseaddr(mail_from)[1])
    mail = EmailMessage(policy=POLICY)
    mail["From"] = Address(display_name=one_line(portal_name), addr_spec=sender)
    mail["To"] = Address(addr_spec=recipient)
    mail["Subject"] = rendered.subject
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = message_id(id_, resends, sender.rpartition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(rendered.text)
    mail.add_alternative(rendered.html, subtype="html")
    mail["Content-Language"] = language
    return mail
