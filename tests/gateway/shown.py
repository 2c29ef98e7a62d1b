"""Pages of a played world in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser

from tests.gateway.browsers import Window, window
from tests.gateway.pages.customer_data import CONTRACT, INSTANCE, SUBMISSION
from tests.gateway.pages.staff_data import BEN, COMPANY, DORA
from tests.gateway.world import CUSTOMERS, SESSION, World, gateway, member, user
from tests.served import served

HER_PAGES = (
    *("/", "/contracts", f"/contracts/{CONTRACT}", f"/contracts/{CONTRACT}/billing-events", "/payments", "/tasks"),
    *(f"/contracts/{CONTRACT}/instalment", f"/tasks/{INSTANCE}/proof", "/processes", f"/processes/{INSTANCE}"),
    *("/requests", f"/requests/{SUBMISSION}", "/documents", "/notices", "/nowhere", "/styleguide"),
)
STAFF_PAGES = (
    *("/", "/users", f"/users/{DORA}", "/contacts", f"/contacts/{BEN}", f"/companies/{COMPANY}", "/contracts"),
    *(f"/contracts/{CONTRACT}", "/tasks", "/processes", f"/processes/{INSTANCE}", "/imports", "/failures"),
)


def hers(made: World) -> World:
    """A customer is signed in."""
    made.owner = user()
    return made


def theirs(made: World) -> World:
    """A member of staff is signed in."""
    made.owner = member()
    return made


@asynccontextmanager
async def shown(browser: Browser, made: World, host: str = CUSTOMERS, width: int = 1280) -> AsyncIterator[Window]:
    """A window on the gateway of a played world; whoever owns the world is signed in."""
    made.development = True
    look = {"locale": "de-DE", "viewport": {"width": width, "height": 900}}
    async with served(gateway(made)) as port, window(browser, f"http://{host}:{port}", **look) as seen:
        if made.owner:
            await seen.page.context.add_cookies(
                [{"name": "__Host-session", "value": SESSION, "url": f"https://{host}", "secure": True}]
            )
        yield seen
