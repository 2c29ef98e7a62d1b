"""The mail itself: nobody can smuggle a header or a second recipient into it."""

import email
import uuid
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from services.notifications.messages.compose import InvalidAddress, compose, mailbox, message_id
from services.notifications.templates.render import Rendered, one_line

ID = str(uuid.uuid4())
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Content-Language",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "MIME-Version",
    "Content-Type",
]
INJECTION = "Hallo\r\nBcc: all@example.org\r\n\r\nbody"


def sent(subject: str = "Hallo", portal_name: str = "Mein Lindenau", text: str = "Text\n") -> EmailMessage:
    """The mail as its reader's client parses it."""
    mail = compose(
        id_=ID,
        resends=0,
        mail_from="Portico <portal@example.org>",
        portal_name=portal_name,
        recipient="anna@example.org",
        language="de",
        rendered=Rendered(one_line(subject), "<p>Grüße</p>", text),
        now=NOW,
    )
    parsed = email.message_from_bytes(mail.as_bytes(), policy=default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_a_mail_has_both_parts_and_says_what_it_is() -> None:
    mail = sent(subject="Abschlag 78,00 € bestätigt", text="Grüße\n")
    html, text = mail.get_body(("html",)), mail.get_body(("plain",))
    assert html is not None
    assert text is not None
    assert html.get_content().strip() == "<p>Grüße</p>"
    assert text.get_content().splitlines() == ["Grüße"]
    assert mail["Subject"] == "Abschlag 78,00 € bestätigt"
    assert str(mail["From"]) == "Mein Lindenau <portal@example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "multipart/alternative"


def test_a_mail_is_plain_ascii_on_the_wire() -> None:
    mail = compose(
        id_=ID,
        resends=0,
        mail_from="portal@example.org",
        portal_name="Müllers Öl",
        recipient="anna@example.org",
        language="de",
        rendered=Rendered("Grüße", "ä" * 3_000, "ö" * 3_000),
        now=NOW,
    ).as_bytes()
    assert mail.isascii()
    assert max(map(len, mail.splitlines())) < 998


@given(subject=st.text(max_size=300), name=st.text(max_size=100))
@example(subject=INJECTION, name=INJECTION)
@example(subject="a\u2028Bcc: b@example.org", name='"Bank" <b@example.org>, x')
@example(subject="=?utf-8?q?a=0ABcc:_b?=", name="=?utf-8?q?a=0ABcc:_b?=")
def test_no_header_can_be_injected(subject: str, name: str) -> None:
    mail = sent(subject, name)
    assert sorted(mail.keys()) == sorted(HEADERS)
    assert [address.addr_spec for address in mail["To"].addresses] == ["anna@example.org"]
    assert [address.addr_spec for address in mail["From"].addresses] == ["portal@example.org"]
    assert "\n" not in mail["Subject"]


@given(st.text(max_size=60))
@example("anna@example.org\r\nRCPT TO:<b@example.org>")
@example("a@b.example, c@d.example")
@example("anna@example.org>")
@example("<anna@example.org>")
@example("")
@example("@")
@example("anna@")
@example("@example.org")
@example("a b@example.org")
@example("änna@example.org")
@example("a@" + "x" * 300)
def test_an_address_is_one_address_or_refused(address: str) -> None:
    try:
        found = mailbox(address)
    except InvalidAddress:
        return
    assume(found)
    assert found.isascii()
    assert found.isprintable()
    assert found.count("@") >= 1
    assert not set(found) & set(" <>,;:\r\n")


def test_a_domain_with_umlauts_is_written_in_ascii() -> None:
    assert mailbox(" anna@müller.example ") == "anna@xn--mller-kva.example"


@pytest.mark.parametrize(
    "address", ["", "anna", "a@b.example, c@d.example", "anna@example.org\nBcc: x", "<a@b.example>", "ä@b.example"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidAddress):
        mailbox(address)


def test_the_message_id_stays_over_attempts_and_differs_for_a_resend() -> None:
    assert message_id(ID, 0, "example.org") == message_id(ID, 0, "example.org")
    assert message_id(ID, 0, "example.org") != message_id(ID, 1, "example.org")
    assert sent()["Message-ID"] == message_id(ID, 0, "example.org")
