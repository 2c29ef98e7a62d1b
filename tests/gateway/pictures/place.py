"""What the pictures are taken of: a stack that runs, the people of a story, and their windows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from playwright.async_api import Browser

from cli.stack.state import Record, State
from cli.story.people import MARIA, Visitor
from tests.gateway.browsers import window
from tests.gateway.pictures.camera import Camera, Photographed
from tests.gateway.story.cast import Cast


@dataclass(frozen=True)
class Set:
    """Where the pictures are taken, in a language."""

    state: State
    record: Record
    camera: Camera
    cast: Cast

    def window(self, visitor: Visitor) -> Photographed:
        found = self.cast.of(visitor)
        assert isinstance(found, Photographed)
        return found

    @asynccontextmanager
    async def stranger(self, base: str) -> AsyncIterator[Photographed]:
        """A window of somebody who has no cookies but his language's."""
        browser: Browser | None = self.cast.of(MARIA).page.context.browser
        assert browser is not None
        language = self.cast.how.language
        async with window(browser, base, locale=language) as seen:
            yield await Photographed(page=seen.page, base=base, camera=self.camera, language=language).speaks(language)
