"""Mails as files in a folder, the newest first: what the development mailbox keeps."""

import secrets
import time
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from functools import lru_cache
from pathlib import Path

KEPT_MAILS = 2000


@dataclass(frozen=True)
class Mail:
    """A mail as people see it. `html` and `text` are empty when the mail has no such part."""

    id: str
    to: str
    sender: str
    subject: str
    date: str
    text: str
    html: str
    attachments: tuple[str, ...]


@dataclass(frozen=True)
class MailStore:
    """Names rise with time, so that the order of the names is the order of arrival."""

    folder: Path
    kept: int = KEPT_MAILS

    def add(self, content: bytes) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
        draft = self.folder / f"{name}.draft"
        draft.write_bytes(content)
        draft.rename(self.folder / f"{name}.eml")
        for old in self._names()[self.kept :]:
            (self.folder / f"{old}.eml").unlink(missing_ok=True)
        return name

    def newest(self, limit: int, to: str = "") -> list[Mail]:
        """At most `limit` mails, only those whose addressee contains `to`."""
        found: list[Mail] = []
        for name in self._names():
            if len(found) == limit:
                break
            mail = self.get(name)
            if mail and to.lower() in mail.to.lower():
                found.append(mail)
        return found

    def get(self, name: str) -> Mail | None:
        """One mail, or nothing when the name is not one of ours."""
        path = self.folder / f"{name}.eml"
        if path.parent != self.folder or not path.exists():
            return None
        return _read(path)

    def _names(self) -> list[str]:
        return sorted((path.stem for path in self.folder.glob("*.eml")), reverse=True)


@lru_cache(maxsize=KEPT_MAILS)
def _read(path: Path) -> Mail:
    message = BytesParser(EmailMessage, policy=policy.default).parsebytes(path.read_bytes())
    return Mail(
        id=path.stem,
        to=str(message.get("To", "")),
        sender=str(message.get("From", "")),
        subject=str(message.get("Subject", "")),
        date=str(message.get("Date", "")),
        text=_part(message, "plain"),
        html=_part(message, "html"),
        attachments=tuple(part.get_filename() or "unnamed" for part in message.iter_attachments()),
    )


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    if body is None:
        return ""
    payload = body.get_payload(decode=True)
    charset = body.get_content_charset() or "utf-8"
    try:
        return bytes(payload).decode(charset, "replace") if isinstance(payload, bytes) else ""
    except LookupError:
        return bytes(payload).decode("utf-8", "replace") if isinstance(payload, bytes) else ""
