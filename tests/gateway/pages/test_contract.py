"""What a customer sees on the page of a contract."""

from __future__ import annotations

import pytest

from tests.gateway.pages.customer_data import (
    CONTRACT,
    INSTANCE,
    balance,
    contract,
    day,
    details,
    ending,
    event,
    file,
    listed,
    page,
    plan,
    preview,
    process,
    short,
    shown,
    world,
)
from tests.gateway.world import soup, words


async def test_the_whole_page() -> None:
    answer = await shown(world(), f"/contracts/{CONTRACT}")
    said = words(answer)
    for each in ("Vertrag V-1003 · Gas · Am Anger 3, 01945 Tettau", "Aktiv", "142,00 €", "Bezahlt", "14 Tage"):
        assert each in said
    assert "Erstlaufzeit" not in said
    assert "Zum Ende der Laufzeit." in said
    form = soup(answer).select_one("form[action='/actions/cancel']")
    assert form is not None
    assert [field["value"] for field in form.select("[name=entity], [name=id]")] == ["contract", CONTRACT]


async def test_what_is_overdue_is_first_and_marked() -> None:
    made = world()
    events = [event("late"), event("soon", overdue=False, due_on=day(5), kind="invoice")]
    made.answer(
        "GET", "portal", f"/contracts/{CONTRACT}", details(balance=balance(28_400, 14_200), billing_events=events)
    )
    answer = await shown(made, f"/contracts/{CONTRACT}")
    assert "142,00 € sind überfällig" in words(answer)
    chips = [item.select_one(".chip").get_text(strip=True) for item in soup(answer).select("#payments .item")]
    assert chips == ["Überfällig", "Offen"]


async def test_what_was_requested_stands_beside_what_is_in_force() -> None:
    made = world()
    pending = {"change_id": "x", "from_cents": 14_200, "amount_cents": 12_050, "currency": "EUR"}
    pending |= {"effective_from": "2026-12-15", "requested_at": "2026-11-10T09:30:00Z"}
    instalments = {**details()["instalments"], "pending": pending}
    made.answer("GET", "portal", f"/contracts/{CONTRACT}", details(instalments=instalments))
    part = soup(await shown(made, f"/contracts/{CONTRACT}")).select_one("#instalments")
    assert part is not None
    assert part.has_attr("data-live")
    told = " ".join(part.get_text(" ").split())
    assert "Gilt jetzt 142,00 €" in told.replace("\xa0", " ")
    assert "Angefragt 120,50 € ab 15.12.2026" in told.replace("\xa0", " ")
    assert part.select_one("a[href$='/instalment']") is None


@pytest.mark.parametrize(
    ("status", "reason", "sentence"),
    [
        ("confirmed", None, "wurde Ihr Abschlag von 142,00 € auf 120,50 € geändert"),
        ("refused", "Bitte lesen Sie zuerst den Zähler ab.", "Begründung: Bitte lesen Sie zuerst den Zähler ab."),
    ],
)
async def test_what_the_erp_decided_last(status: str, reason: str | None, sentence: str) -> None:
    made = world()
    decision = {"change_id": "x", "status": status, "from_cents": 14_200, "amount_cents": 12_050}
    decision |= {"currency": "EUR", "reason": reason, "decided_at": "2026-11-11T09:30:00Z"}
    instalments = {**details()["instalments"], "last_decision": decision}
    made.answer("GET", "portal", f"/contracts/{CONTRACT}", details(instalments=instalments))
    answer = await shown(made, f"/contracts/{CONTRACT}")
    assert sentence in words(answer).replace("\xa0", " ")
    assert not soup(answer).select("#instalments[data-live]")


async def test_a_cancellation_and_its_process() -> None:
    made = world()
    last = {"status": "requested", "requested_on": "2026-11-10", "ends_on": "2027-09-30", "basis": "renewal"}
    last |= {"notice": "P1M", "reason": "moving", "decided_at": None, "cancellation_id": "x"}
    found = details(cancellation={"last": last, "refusal": None}, processes=[process()], actions=[])
    made.answer("GET", "portal", f"/contracts/{CONTRACT}", found)
    answer = await shown(made, f"/contracts/{CONTRACT}")
    said = words(answer)
    for each in ("Gekündigt, wird geprüft", "30. September 2027", "Ende der verlängerten Laufzeit", "1 Monat"):
        assert each in said
    assert soup(answer).select_one(f"a[href='/tasks/{INSTANCE}/proof']") is not None
    assert soup(answer).select(".timeline .moment-active")
    assert not made.calls_to("GET", "billing", f"/contracts/{CONTRACT}/cancellation-preview")


@pytest.mark.parametrize(
    ("status", "chip", "button"),
    [("confirmed", f"Endet am {short(day(25))}", 0), ("requested", "Aktiv", 0), ("withdrawn", "Aktiv", 1)],
)
async def test_behind_the_end_nothing_is_to_be_paid_or_changed(status: str, chip: str, button: int) -> None:
    made = world()
    last = {"status": status, "requested_on": day(-1), "ends_on": day(25), "basis": "open_ended"}
    last |= {"notice": "P1M", "reason": None, "decided_at": f"{day(0)}T09:30:00Z", "cancellation_id": "x"}
    left = plan()["schedule"] if button else plan()["schedule"][:1]
    found = details(cancellation={"last": last, "refusal": None}, coming_instalments=left)
    made.answer("GET", "portal", f"/contracts/{CONTRACT}", found)
    answer = soup(await shown(made, f"/contracts/{CONTRACT}"))
    assert answer.select_one("main .header .chip").get_text(strip=True) == chip
    part = answer.select_one("#instalments")
    assert len(part.select("a[href$='/instalment']")) == button
    assert len(part.select(".schedule li")) == (8 if button else 1)
    assert ("5 weitere Termine" in part.get_text()) == bool(button)
    assert (f"Letzter Abschlag am {short(day(20))}" in part.get_text()) == (not button)


async def test_a_change_that_is_not_possible_now_is_not_offered() -> None:
    made = world()
    refusal = {"code": "payment_overdue", "detail": "Solange eine Zahlung überfällig ist.", "facts": {}}
    made.answer("GET", "billing", f"/contracts/{CONTRACT}/instalment-preview", preview(refusal=refusal))
    made.answer("GET", "portal", f"/contracts/{CONTRACT}", details(balance=balance(350, 350)))
    part = soup(await shown(made, f"/contracts/{CONTRACT}")).select_one("#instalments")
    assert "Solange eine Zahlung überfällig ist." in part.get_text()
    assert part.select("a[href$='/instalment']") == []


async def test_a_credit_says_what_is_overdue_all_the_same() -> None:
    made = world()
    made.answer("GET", "portal", f"/contracts/{CONTRACT}", details(balance=balance(-2_150, 350)))
    made.answer("GET", "portal", "/contracts", page(listed(balance=balance(-2_150, 350))))
    for path in (f"/contracts/{CONTRACT}", "/payments"):
        figure = soup(await shown(made, path)).select_one(".figure-positive")
        said = " ".join(figure.get_text(" ").split())
        assert said == "Guthaben 21,50 € nach Abzug der überfälligen 3,50 €"


async def test_documents_have_the_names_of_their_files() -> None:
    made = world()
    made.answer("GET", "portal", f"/contracts/{CONTRACT}", details(documents=[file()]))
    said = words(await shown(made, f"/contracts/{CONTRACT}"))
    assert "Kündigung Wohnung.pdf Gesendet mit „Vertrag kündigen“, 10.11.2026" in said


async def test_billing_away_leaves_the_rest() -> None:
    made = world()
    made.away.add("billing")
    answer = await shown(made, f"/contracts/{CONTRACT}")
    assert answer.status_code == 200
    assert "Mögliches Vertragsende" in words(answer)


async def test_why_it_cannot_be_cancelled() -> None:
    made = world()
    refusal = {"code": "contract_terms_unknown", "detail": "Die Laufzeit ist nicht bekannt.", "facts": {}}
    path = f"/contracts/{CONTRACT}/cancellation-preview"
    made.answer("GET", "billing", path, ending(next_possible=None, refusal=refusal))
    assert "Die Laufzeit ist nicht bekannt." in words(await shown(made, f"/contracts/{CONTRACT}"))


async def test_what_the_portal_does_not_show_leaves_no_gaps() -> None:
    made = world()
    hidden = contract(product=None, division=None, status=None, in_words={})
    made.answer("GET", "portal", f"/contracts/{CONTRACT}", details(contract=hidden, delivery=None, groups=[]))
    answer = await shown(made, f"/contracts/{CONTRACT}")
    title = soup(answer).select_one("h1")
    assert title is not None
    assert title.get_text() == "Vertrag V-1003"
    assert "None" not in words(answer)
