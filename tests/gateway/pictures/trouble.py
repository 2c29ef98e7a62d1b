"""What goes wrong: a session that ends while somebody writes, services that are away, a portal that is closed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from cli.stack.gateway import STAFF, site_url
from cli.story.people import MARIA
from cli.story.stage import until
from cli.story.utility import PORTAL, documents
from gateway.app import create
from gateway.settings import GatewaySettings
from tests.gateway.pictures.camera import Photographed
from tests.gateway.pictures.place import Set
from tests.gateway.pictures.portal import INSTALLERS
from tests.served import served


async def what_goes_wrong(stage: Set) -> None:
    """A session that ends while somebody writes, services that are away, a portal that is closed."""
    people, say, anna = stage.cast, stage.cast.how.say, stage.window(stage.cast.scene.anna)
    async with weak_gateway(stage, {"processes", "billing", "notifications"}) as port:
        base = site_url(PORTAL, {"gateway": port})
        for path in ("/", f"/contracts/{people.scene.contract_id}", "/tasks", "/profile"):
            await anna.shows(f"{base}{path}", "services away")
        await stage.window(MARIA).shows(f"{site_url(STAFF, {'gateway': port})}/", "services away")
    async with weak_gateway(stage, {"portal", "identity"}) as port:
        await anna.shows(f"{site_url(PORTAL, {'gateway': port})}/", "everything away")
    await anna.open("/profile")
    change = anna.page.locator('main a[href^="/profile/"]')
    await change.first.click()
    await anna.page.context.clear_cookies(name="__Host-session")
    await anna.page.locator("main form button[type=submit]").first.click()
    await anna.page.wait_for_load_state()
    await anna.take("session over")
    await anna.write(say("sign_in.email"), people.scene.anna.email)
    await anna.write(say("sign_in.password"), people.scene.anna.password)
    await anna.press(say("sign_in.button"))
    await anna.take("kept")
    await closed(stage)


async def closed(stage: Set) -> None:
    """The installers' portal is switched off for a moment."""
    people = stage.cast
    document = next(each for each in documents() if each.id == INSTALLERS)
    url = site_url(INSTALLERS, stage.record.ports)
    for enabled in (False, True):
        wanted = {**document.content, "url": url, "enabled": enabled}
        path = document.kind.path_of(document.id)
        await people.stage.ask(people.scene.operator, "PUT", document.kind.service, path, body=wanted)
        if not enabled:
            async with stage.stranger(url) as seen:
                await until("the portal to be closed", lambda: _closed(seen))
                await seen.take("closed")


async def _closed(seen: Photographed) -> bool | None:
    answer = await seen.page.goto(seen.base)
    return True if answer is not None and answer.status == httpx.codes.SERVICE_UNAVAILABLE else None


@asynccontextmanager
async def weak_gateway(stage: Set, away: set[str]) -> AsyncIterator[int]:
    """Another gateway beside the first, with the same key, to which some services do not answer. Yields its port."""
    own = json.loads((stage.state.folder / "gateway.json").read_text())
    ports = stage.record.ports
    settings = GatewaySettings(
        api_url=f"{stage.record.front_url}/api",
        gateway_key=stage.state.secrets().gateway_key,
        staff_url=site_url(STAFF, ports),
        **own,
    )
    async with served(create(settings, Weak(away))) as port:
        yield port


class Weak(httpx.AsyncHTTPTransport):
    """Reaches all services but some."""

    def __init__(self, away: set[str]) -> None:
        super().__init__()
        self.away = away

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.split("/")[2] in self.away:
            raise httpx.ConnectError("away")
        return await super().handle_async_request(request)
