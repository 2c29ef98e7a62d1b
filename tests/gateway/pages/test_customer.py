"""What a customer sees: every page, his start page, and his lists of payments, tasks and the others."""

from __future__ import annotations

import pytest

from tests.gateway.pages.customer_data import (
    CONTRACT,
    INSTANCE,
    SUBMISSION,
    balance,
    listed,
    me,
    page,
    shown,
    world,
)
from tests.gateway.world import INSTALLERS, World, soup, user, visiting, words

PAGES = (
    *("/", "/contracts", f"/contracts/{CONTRACT}", f"/contracts/{CONTRACT}/billing-events"),
    *(f"/contracts/{CONTRACT}/instalment", "/payments", "/tasks", f"/tasks/{INSTANCE}/proof"),
    *("/processes", f"/processes/{INSTANCE}", "/requests", f"/requests/{SUBMISSION}", "/documents", "/notices"),
)


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("path", PAGES)
async def test_every_page_in_both_languages(path: str, language: str) -> None:
    answer = await shown(world(), path, language)
    assert (answer.status_code, soup(answer).html["lang"]) == (200, language)
    assert "{'de'" not in answer.text
    assert soup(answer).select_one("main h1") is not None


@pytest.mark.parametrize("path", PAGES)
async def test_nobody_sees_them_without_signing_in(path: str) -> None:
    async with visiting(world()) as browser:
        answer = await browser.get(path)
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in")


@pytest.mark.parametrize("path", [each for each in PAGES if "-" in each])
async def test_what_is_not_his_looks_as_if_it_did_not_exist(path: str) -> None:
    assert (await shown(World(), path)).status_code == 404


class TestStart:
    async def test_what_needs_him_comes_first(self) -> None:
        said = words(await shown(world(), "/")).replace("\xa0", " ")
        order = ["Guten Tag, Ben Krüger", "Jetzt zu erledigen", "Nachweis einreichen", "289,00 € sind überfällig"]
        order += ["Läuft gerade", "Kündigung Ihres Vertrags", "Neue Mitteilungen", "Ihre Verträge", "Erdgas Komfort"]
        place = 0
        for each in order:
            place = said.index(each, place)

    async def test_asks_only_for_what_is_open(self) -> None:
        made = world()
        await shown(made, "/")
        for path, name, value in (("/tasks", "status", "open"), ("/processes", "status", "open")):
            assert made.calls_to("GET", "portal", path)[0].query[name] == value
        assert made.calls_to("GET", "portal", "/notices")[0].query["unread"] == "true"

    async def test_his_own_actions_and_links(self) -> None:
        read = soup(await shown(world(), "/"))
        form = read.select_one("form[action='/actions/move']")
        assert form is not None
        assert [field["value"] for field in form.select("[name=entity], [name=id]")] == ["contact", "c-1"]
        assert {link["href"] for link in read.select("#more a")} == {"https://www.example.org/out", "/j/reading"}

    async def test_nothing_to_do_and_no_contracts(self) -> None:
        made = world()
        for path in ("/tasks", "/processes", "/notices", "/contracts"):
            made.answer("GET", "portal", path, page())
        said = words(await shown(made, "/"))
        assert "Zurzeit ist nichts zu erledigen." in said
        assert "Noch keine Verträge" in said
        assert "Läuft gerade" not in said

    async def test_a_part_that_is_away_does_not_take_the_others_along(self) -> None:
        made = world()
        for path in ("/tasks", "/contracts"):
            made.answer("GET", "portal", path, {"code": "unavailable"}, 503)
        said = words(await shown(made, "/"))
        assert "Kündigung Ihres Vertrags" in said
        assert "nichts zu erledigen" not in said
        assert "Noch keine Verträge" not in said

    async def test_who_waits_is_told(self) -> None:
        made = world()
        made.answer("GET", "portal", "/me", me(status="waiting", contact=None))
        said = words(await shown(made, "/"))
        assert "Wir ordnen Ihren Zugang noch zu" in said
        assert "Erdgas Komfort" not in said

    async def test_an_installer_sees_no_money(self) -> None:
        async with visiting(world(), INSTALLERS, user(role="installer", portal_id="installers")) as browser:
            start, found = await browser.get("/"), await browser.get(f"/contracts/{CONTRACT}")
        for answer in (start, found):
            assert "€" not in words(answer)
        assert "Erdgas Komfort" in words(start)
        assert "14 Tage" in words(found)


class TestLists:
    async def test_payments_of_all_contracts(self) -> None:
        made = world()
        made.answer(
            "GET",
            "portal",
            "/contracts",
            page(listed(), listed(id="other", balance=balance(-1_000))),
        )
        answer = await shown(made, "/payments")
        said = words(answer).replace("\xa0", " ")
        assert "Überfällig 289,00 €" in said
        assert "Insgesamt offen 279,00 €" in said
        assert soup(answer).select_one("a[href='?show=open&cursor=behind']") is not None
        assert soup(answer).select("tr.row-critical")
        assert made.calls_to("GET", "portal", "/billing-events")[0].query["status"] == "open"
        await shown(made, "/payments?show=paid&cursor=here")
        asked = made.calls_to("GET", "portal", "/billing-events")[1].query
        assert (asked["status"], asked["cursor"]) == ("closed", "here")

    @pytest.mark.parametrize("path", ["/tasks", "/processes"])
    async def test_a_tab_that_does_not_exist_is_the_first(self, path: str) -> None:
        made = world()
        await shown(made, f"{path}?show=everything")
        assert made.calls_to("GET", "portal", path)[0].query["status"] == "open"
        await shown(made, f"{path}?show=over")
        assert made.calls_to("GET", "portal", path)[1].query["status"] == "over"

    @pytest.mark.parametrize("path", ["/contracts", "/payments", "/tasks", "/processes", "/requests", "/documents"])
    async def test_nothing_is_said_kindly(self, path: str) -> None:
        made = world()
        for each in ("/contracts", "/billing-events", "/tasks", "/processes", "/requests", "/documents"):
            made.answer("GET", "portal", each, page())
        assert soup(await shown(made, path)).select_one("main .empty") is not None
