"""Those who act in the browser story: a window each, in a language, with or without JavaScript."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from cli.stack.gateway import STAFF, site_url
from cli.stack.state import Record
from cli.story.people import ACTIVATION_LINK, MARIA, Visitor, employ
from cli.story.registration import Scene, prepare
from cli.story.stage import Place, Stage, set_up
from cli.story.utility import PORTAL
from contracts.common import Language
from gateway.rendering import load_texts
from tests.gateway.browsers import Window, chromium, window
from tests.story.recorded import Recorded

TEXTS = load_texts()


@dataclass(frozen=True)
class How:
    """How everybody in the story looks at the pages."""

    language: Language
    width: int
    javascript: bool

    def __str__(self) -> str:
        return f"{self.language}-{self.width}-{'with' if self.javascript else 'without'}-javascript"

    def say(self, key: str, **facts: object) -> str:
        """What a page says, in the language of the story."""
        sentence = TEXTS.say(key, self.language, facts)
        assert sentence is not None, key
        return sentence


@dataclass(frozen=True)
class Cast:
    """The stage of the API story with its people, and their windows by their names."""

    how: How
    stage: Stage
    scene: Scene
    windows: Mapping[str, Window]

    def of(self, visitor: Visitor) -> Window:
        return self.windows[visitor.name]

    async def link_for(self, visitor: Visitor, pattern: str) -> str:
        """The link of a mail as a path of the portal."""
        _, found = await self.stage.mail_with(visitor.email, pattern, self.scene.mails.get(visitor.email, frozenset()))
        return found[0]

    async def appears(self, seen: Window, words: str) -> None:
        """Waits for what arrives later: an open page changes by itself, or is opened again without JavaScript."""
        if self.how.javascript:
            await seen.sees(words)
        else:
            await seen.sees_when_opened_again(words)


@asynccontextmanager
async def cast(record: Record, how: How) -> AsyncIterator[Cast]:
    """Fresh people and contracts, and a browser."""
    locale = {"de": "de-DE", "en": "en-GB"}[how.language]
    look = {"locale": locale, "viewport": {"width": how.width, "height": 900}, "java_script_enabled": how.javascript}
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(set_up(Place.of(record), Recorded()))
        scene = await prepare(stage)
        await employ(stage, MARIA)
        browser = await stack.enter_async_context(chromium())
        portal, staff = site_url(PORTAL, record.ports), site_url(STAFF, record.ports)
        people = {visitor.name: portal for visitor in (scene.anna, scene.ben, scene.cleo)} | {MARIA.name: staff}
        windows = {
            name: await stack.enter_async_context(window(browser, base, **look)) for name, base in people.items()
        }
        for each in windows.values():
            await each.page.context.add_cookies(
                [{"name": "__Host-language", "value": how.language, "url": f"https{each.base[4:]}", "secure": True}]
            )
        yield Cast(how, stage, scene, windows)


ACTIVATION = ACTIVATION_LINK
TASK = r"/tasks/[\w-]+/[\w-]+"


def exactly(words: str) -> re.Pattern[str]:
    return re.compile(rf"^\s*{re.escape(words)}\s*$")
