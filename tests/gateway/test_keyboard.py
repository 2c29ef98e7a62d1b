"""With a keyboard alone, with a window as narrow as a phone's, and with everything twice as large."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Browser, FloatRect, Page, ViewportSize

from tests.gateway.journey_api import ID, JourneyApi
from tests.gateway.pages.customer_data import CONTRACT, world
from tests.gateway.pages.staff_data import desk
from tests.gateway.shown import HER_PAGES, STAFF_PAGES, hers, shown, theirs
from tests.gateway.world import CUSTOMERS, STAFF, World

NARROW = ViewportSize(width=320, height=800)
TWICE_AS_LARGE = ViewportSize(width=640, height=450)
"""What 1280 by 900 pixels hold at 200 %."""
MOST_STOPS = 80
MOVING = """
journey: moving
title: {de: Umzug, en: Moving}
steps:
  - id: reason
    title: {de: 'Warum?', en: 'Why?'}
    fields:
      reason: {type: choice, required: true, options: {moving: {de: Umzug, en: Moving}, price: {de: Preis, en: Price}}}
      city: {type: text, required: true, label: {de: 'Wohin?', en: 'Where to?'}}
"""
REACHABLE = """() => [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
    .filter(each => each.checkVisibility({visibilityProperty: true}) && !each.disabled && each.tabIndex >= 0
        && each.type !== 'hidden' && !(each.type === 'radio' && isOtherRadio(each))).length
    function isOtherRadio(each) {
        const group = [...document.querySelectorAll(`input[name="${CSS.escape(each.name)}"]`)];
        return each !== (group.find(one => one.checked) ?? group[0]);
    }"""
FOCUSED = """() => {
    const each = document.activeElement, box = each.getBoundingClientRect();
    return each === document.body ? null
        : {tag: each.localName, id: each.id, class: each.className, words: (each.innerText || each.value || '').trim(),
           x: box.x, y: box.y, width: box.width, height: box.height, inMain: Boolean(each.closest('main'))};
}"""
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass(frozen=True)
class Keys:
    """Somebody who has nothing but a keyboard."""

    page: Page
    base: str

    async def tab(self) -> dict[str, Any] | None:
        """The next stop; None at the end of the page."""
        await self.page.keyboard.press("Tab")
        found: dict[str, Any] | None = await self.page.evaluate(FOCUSED)
        return found

    async def tab_to(self, words: str) -> dict[str, Any]:
        for _ in range(MOST_STOPS):
            stop = await self.tab()
            if stop and stop["words"] == words:
                return stop
        raise AssertionError(f"{words!r} cannot be reached on {self.page.url}")

    async def focused(self) -> dict[str, Any]:
        found: dict[str, Any] | None = await self.page.evaluate(FOCUSED)
        assert found is not None
        return found

    async def sees_where_he_is(self, stop: dict[str, Any]) -> bool:
        """Whether the page looks different without the focus."""
        around = FloatRect(
            x=max(0, stop["x"] - 6), y=max(0, stop["y"] - 6), width=stop["width"] + 12, height=stop["height"] + 12
        )
        with_focus = await self.page.screenshot(clip=around, animations="disabled")
        await self.page.evaluate("document.activeElement.blur()")
        return with_focus != await self.page.screenshot(clip=around, animations="disabled")

    async def stops(self) -> list[dict[str, Any]]:
        """Every stop from here to the end; each must be seen."""
        found: list[dict[str, Any]] = []
        for _ in range(MOST_STOPS):
            stop = await self.tab()
            if stop is None:
                return found
            assert await self.sees_where_he_is(stop), f"no focus is seen at {stop} on {self.page.url}"
            found.append(stop)
        raise AssertionError(f"there is no end to {self.page.url}")


@asynccontextmanager
async def keys(browser: Browser, made: World, path: str, host: str = CUSTOMERS) -> AsyncIterator[Keys]:
    """A page of the gateway of a played world."""
    async with shown(browser, made, host) as seen:
        await seen.open(path)
        yield Keys(seen.page, seen.base)


async def test_signing_in(browser: Browser) -> None:
    """From the top to the bottom, nothing is left out, and the first stop leads past what stands on every page."""
    async with keys(browser, World(), "/sign-in") as found:
        skip = await found.tab()
        assert skip is not None
        assert (skip["words"], skip["y"] >= 0) == ("Zum Inhalt", True)
        await found.page.keyboard.press("Enter")
        assert (await found.focused())["id"] == "main"
        stops = await found.stops()
        heights = [stop["y"] for stop in stops]
        assert heights == sorted(heights)
        assert [stop["id"] for stop in stops[:3]] == ["f-email", "f-password", ""]
        assert {"Anmelden", "Passwort vergessen?", "Zugang anlegen"} <= {stop["words"] for stop in stops}


@pytest.mark.parametrize("path", [f"/contracts/{CONTRACT}", f"/contracts/{CONTRACT}/instalment", "/payments"])
async def test_everything_can_be_reached_and_the_focus_is_always_seen(browser: Browser, path: str) -> None:
    async with keys(browser, hers(world()), path) as found:
        reachable = await found.page.evaluate(REACHABLE)
        assert len(await found.stops()) == reachable > 10


async def test_a_mistake_in_a_journey(browser: Browser) -> None:
    """The summary gets the focus and leads to the field, which says what is wrong with it."""
    made = hers(World())
    JourneyApi.of(made, MOVING)
    async with keys(browser, made, f"/journeys/{ID}/steps/reason") as found:
        await found.tab_to("Weiter")
        async with found.page.expect_navigation():
            await found.page.keyboard.press("Enter")
        summary = await found.focused()
        assert (summary["class"], summary["y"] >= 0) == ("errors", True)
        assert await found.page.locator(".errors[role=alert]").count() == 1
        await found.tab()
        await found.tab()
        await found.page.keyboard.press("Enter")
        field = await found.focused()
        described = await found.page.locator(f"[id='{field['id']}']").get_attribute("aria-describedby")
        assert described
        assert await found.page.locator(f"[id='{described.split()[-1]}']").inner_text()


async def test_a_menu_closes_with_escape(browser: Browser) -> None:
    async with keys(browser, hers(world()), "/") as found:
        await found.tab_to("Mehr")
        await found.page.keyboard.press("Enter")
        inside = await found.tab()
        assert inside is not None
        assert inside["words"] == "Anliegen"
        await found.page.keyboard.press("Escape")
        assert (await found.focused())["words"] == "Mehr"
        assert await found.page.locator("details[open]").count() == 0


async def test_a_dialog_keeps_the_focus_and_gives_it_back(browser: Browser) -> None:
    async with keys(browser, World(), "/styleguide") as found:
        asking = found.page.locator("[data-confirm] button").first
        await asking.focus()
        words = (await found.focused())["words"]
        await found.page.keyboard.press("Enter")
        assert await found.page.locator("dialog[open]").count() == 1
        for _ in range(5):
            await found.tab()
            assert await found.page.evaluate("!document.activeElement.closest('main, header, footer')")
        await found.page.keyboard.press("Escape")
        assert await found.page.locator("dialog").count() == 0
        assert (await found.focused())["words"] == words


async def test_a_menu_of_staff_on_a_phone_closes_with_escape(browser: Browser) -> None:
    async with keys(browser, theirs(desk()), "/", STAFF) as found:
        await found.page.set_viewport_size(NARROW)
        await found.tab_to("Menü")
        await found.page.keyboard.press("Enter")
        assert (await found.tab() or {})["words"] == "Überblick"
        await found.page.keyboard.press("Escape")
        assert (await found.focused())["words"] == "Menü"


@pytest.mark.parametrize(("host", "paths"), [(CUSTOMERS, HER_PAGES), (STAFF, STAFF_PAGES)], ids=["portal", "staff"])
async def test_nothing_sticks_out_of_a_narrow_window(browser: Browser, host: str, paths: tuple[str, ...]) -> None:
    """320 pixels, and 1280 at 200 %: everything is read by scrolling down only."""
    made = theirs(desk()) if host == STAFF else hers(world())
    async with keys(browser, made, "/", host) as found:
        for path in paths:
            await found.page.goto(found.base + path)
            for size in (NARROW, TWICE_AS_LARGE):
                await found.page.set_viewport_size(size)
                assert await found.page.evaluate(WIDER) <= 0, f"{path} is wider than {size['width']} pixels"
