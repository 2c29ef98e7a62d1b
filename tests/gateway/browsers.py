"""A real browser for stories and pictures: found on the machine, or else installed and said so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.async_api import Browser, BrowserContext, Locator, Page, Route, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"]
"""The sites of the tests, in the net or not, may frame what this machine serves."""
INSTALL_SECONDS = 600
PATIENCE_MS = 20_000
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def find_chromium() -> str:
    """The path of a Chromium or Chrome; when there is none, one is installed. Raises RuntimeError when that fails."""
    if found := os.environ.get("PORTICO_TEST_CHROMIUM") or _on_the_machine():
        return found
    _say("No Chromium or Chrome is on this machine: installing one.")
    for command in (*_by_debian(), [sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"]):
        result = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        if result.returncode == 0 and (found := _on_the_machine()):
            _say(f"Installed {found}.")
            return found
        if result.returncode:
            _say(f"`{' '.join(command)}` failed: {result.stderr[-300:]}")
    raise RuntimeError("Chromium can neither be found nor installed: install it, or set PORTICO_TEST_CHROMIUM.")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _by_debian() -> list[list[str]]:
    if shutil.which("apt-get") is None:
        return []
    get = ["apt-get"] if os.geteuid() == 0 else ["sudo", "-n", "apt-get"]
    return [[*get, "update"], [*get, "install", "--yes", "--no-install-recommends", "chromium", "fonts-dejavu-core"]]


def _on_the_machine() -> str | None:
    for name in NAMES:
        if path := shutil.which(name):
            return path
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    return next((str(path) for path in sorted(cache.glob("chromium-*/chrome-linux*/chrome"))), None)


@dataclass(frozen=True)
class Window:
    """A window of somebody who reads a language: he finds things by what is written on them."""

    page: Page
    base: str
    twin: Page | None = None
    """Where scripts run, to examine what a window without JavaScript shows."""

    async def open(self, path: str) -> None:
        answer = await self.page.goto(self.base + path if path.startswith("/") else path)
        assert answer is not None
        assert answer.status < 500, f"{path}: {answer.status}"

    async def press(self, words: str) -> None:
        """A button or a link."""
        await self._control(words).first.click()
        await self.page.wait_for_load_state()

    async def write(self, label: str, text: str) -> None:
        await self.page.get_by_label(label, exact=False).first.fill(text)

    async def choose(self, label: str) -> None:
        """By its words, as people do: they may lie above the circle or the box."""
        await self.page.locator("label").get_by_text(label).or_(self.page.get_by_text(label, exact=True)).first.click()

    async def sees(self, words: str | re.Pattern[str]) -> None:
        await self.page.get_by_text(words).locator("visible=true").first.wait_for(timeout=PATIENCE_MS)

    async def sees_when_opened_again(self, words: str, times: int = 40) -> None:
        """Without JavaScript a page changes only when it is opened again."""
        for _ in range(times):
            if await self.page.get_by_text(words).count():
                return
            await self.page.wait_for_timeout(250)
            await self.page.reload()
        raise AssertionError(f"{words!r} did not appear on {self.page.url}: {await self.text()}")

    async def text(self) -> str:
        return " ".join((await self.page.locator("main").inner_text()).split())

    async def is_accessible(self) -> None:
        """No finding of axe, and nothing sticks out to the side; in a window so tall that no bar covers anything.

        Findings only: to carry over all that was found to be right takes as long as to look.
        """
        page = await self._examined()
        usual = page.viewport_size or {"width": 1280, "height": 900}
        whole = await page.evaluate("document.documentElement.scrollHeight")
        await page.set_viewport_size({"width": usual["width"], "height": max(usual["height"], whole)})
        await page.evaluate(AXE_FILE_PATH.read_text())
        found = await page.evaluate("async options => (await axe.run(document, options)).violations", RULES)
        told = [
            f"{each['id']}: {each['help']} — {[node['html'][:160] for node in each['nodes'][:3]]}" for each in found
        ]
        assert told == [], f"{self.page.url}: {told}"
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await page.evaluate(overflow) <= 0, f"{page.url} is wider than the window"
        await page.set_viewport_size(usual)

    async def _examined(self) -> Page:
        if self.twin is None:
            return self.page
        shown = re.sub(r"<script\b.*?</script>", "", await self.page.content(), flags=re.DOTALL)
        address = self.page.url.partition("#")[0]

        async def answer(route: Route) -> None:
            await route.fulfill(body=shown, content_type="text/html; charset=utf-8")

        await self.twin.route(address, answer)
        await self.twin.goto(address)
        await self.twin.unroute(address)
        return self.twin

    def _control(self, words: str) -> Locator:
        named = re.compile(rf"^\s*{re.escape(words)}\s*$")
        return self.page.get_by_role("button", name=named).or_(self.page.get_by_role("link", name=named))


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def window(browser: Browser, base: str, **how: Any) -> AsyncIterator[Window]:
    """A window with cookies of its own; `how` as Playwright's new_context takes it (viewport, locale, ...)."""
    context: BrowserContext = await browser.new_context(**how)
    context.set_default_timeout(PATIENCE_MS)
    scripted = how.get("java_script_enabled", True)
    other = None if scripted else await browser.new_context(**{**how, "java_script_enabled": True})
    try:
        yield Window(await context.new_page(), base, await other.new_page() if other else None)
    finally:
        if other:
            await other.close()
        await context.close()
