"""What only a browser can tell: nothing moves while a page loads, it is light, and it works inside another site."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Frame, Page, Request

from tests.gateway.journey_api import ID, for_everybody
from tests.gateway.pages.customer_data import world
from tests.gateway.pages.staff_data import desk
from tests.gateway.shown import HER_PAGES, STAFF_PAGES, hers, shown, theirs
from tests.gateway.world import CUSTOMERS, STAFF

MOST_BYTES = 60_000
SLOWER = {390: 12, 1280: 1}
"""A slow phone: what is painted while it still arrives moves there first."""
SHIFTS = """
    window.shifts = [];
    new PerformanceObserver(list => window.shifts.push(...list.getEntries().map(each => ({
        value: each.value, moved: each.sources.map(source => source.node?.outerHTML?.slice(0, 120) ?? ''),
    })))).observe({type: 'layout-shift', buffered: true});
"""
SHIFTED = """async () => {
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
    return window.shifts;
}"""
MOVING = """
journey: moving
title: {de: Umzug, en: Moving}
steps:
  - id: where
    title: {de: 'Wohin?', en: 'Where to?'}
    fields:
      city: {type: text, required: true, label: {de: Ort, en: Town}}
submit: {de: jetzt umziehen, en: move now}
confirmation: {de: Gute Reise., en: Safe travels.}
"""


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize(("host", "paths"), [(CUSTOMERS, HER_PAGES), (STAFF, STAFF_PAGES)], ids=["portal", "staff"])
async def test_a_first_visit_is_light_and_nothing_moves_while_it_loads(
    browser: Browser, host: str, paths: tuple[str, ...], width: int
) -> None:
    """All that comes over the wire but images; the style guide is for developers."""
    made = theirs(desk()) if host == STAFF else hers(world())
    async with shown(browser, made, host, width) as seen:
        tools = await seen.page.context.new_cdp_session(seen.page)
        await tools.send("Network.enable")
        await tools.send("Network.setCacheDisabled", {"cacheDisabled": True})
        await tools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER[width]})
        arrived: list[Request] = []
        seen.page.on("requestfinished", lambda request: arrived.append(request))  # noqa: PLW0108
        await seen.page.add_init_script(SHIFTS)
        for path in paths:
            arrived.clear()
            await seen.page.goto(seen.base + path)
            assert await seen.page.evaluate(SHIFTED) == [], path
            sizes = {request.url: await _size(request) for request in arrived if request.resource_type != "image"}
            assert len(sizes) >= 3
            assert path == "/styleguide" or sum(sizes.values()) < MOST_BYTES, sizes


async def _size(request: Request) -> int:
    sizes = await request.sizes()
    return sizes["responseHeadersSize"] + sizes["responseBodySize"]


@pytest.mark.parametrize("origin", ["https://www.example.org", "https://www.example.net"])
async def test_a_journey_inside_the_page_of_another_site(browser: Browser, origin: str) -> None:
    """A site that the portal names frames the journey, and its cookies hold; the frame of any other stays empty."""
    made, api = for_everybody(MOVING)
    async with shown(browser, made) as seen:
        told: list[str] = []
        seen.page.on("console", lambda message: told.append(message.text))
        frame = await _framed(seen.page, origin, f"{seen.base}/embed/j/moving")
        if origin != "https://www.example.org":
            assert await frame.locator("button").count() == 0
            assert "frame-ancestors" in "".join(told)
            return
        await frame.get_by_role("button", name="Beginnen").click()
        await frame.get_by_label("Ort").fill("Ortrand")
        await frame.get_by_role("button", name="Weiter").click()
        await frame.get_by_role("button", name="jetzt umziehen").click()
        await frame.get_by_text("Gute Reise.").wait_for()
        assert frame.url.endswith(f"/embed/j/moving/{ID}/sent")
        assert api.draft.answers == {"city": "Ortrand"}
        cookies: list[Any] = await seen.page.context.cookies(seen.base)
        assert {each["name"][:15] for each in cookies} == {"__Host-embedded"}
        assert {each["partitionKey"] for each in cookies} == {"https://example.org"}


async def _framed(page: Page, origin: str, address: str) -> Frame:
    """A page of another site with our page in a frame, when it has loaded."""
    await page.route(
        f"{origin}/",
        lambda route: route.fulfill(content_type="text/html", body=f'<iframe src="{address}" width="600"></iframe>'),
    )
    await page.goto(f"{origin}/", wait_until="load")
    found = page.frames[-1]
    assert found.parent_frame is page.main_frame
    return found
