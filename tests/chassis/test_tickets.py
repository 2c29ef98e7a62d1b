"""Launch tickets: read back as they were issued, by nobody else's key, and not for ever."""

import os

import pytest

from chassis import tickets
from chassis.tickets import InvalidTicket, Ticket, Tickets
from contracts.journeys import RecordRef, TaskRef

KEY = os.urandom(32)
FULL = Ticket(
    subject="user/1",
    portal_id="customers",
    journey_id="cancellation",
    contact_id="c",
    action="cancel",
    context=RecordRef(entity="contract", id="v"),
    task=TaskRef(instance_id="i", step_id="s"),
)


@pytest.mark.parametrize("ticket", [FULL, Ticket("user/1", "customers", "cancellation")])
def test_read_back(ticket: Ticket) -> None:
    assert Tickets(KEY).read(Tickets(KEY).issue(ticket)) == ticket


def test_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tickets, "LIFETIME_SECONDS", -1)
    with pytest.raises(InvalidTicket, match="ticket_expired"):
        Tickets(KEY).read(Tickets(KEY).issue(FULL))


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "x" * 5000, "ä.ö.ü"])
def test_nonsense(text: str) -> None:
    with pytest.raises(InvalidTicket, match="ticket_invalid"):
        Tickets(KEY).read(text)


def test_of_another_key_or_changed() -> None:
    text = Tickets(KEY).issue(FULL)
    for wrong in (Tickets(os.urandom(32)).issue(FULL), text[:-3] + ("aaa" if text[-3:] != "aaa" else "bbb")):
        with pytest.raises(InvalidTicket, match="ticket_invalid"):
            Tickets(KEY).read(wrong)
