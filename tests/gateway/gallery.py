"""`make screenshots`: the stories are played, and every page and state that they pass is photographed on the way.

Afterwards every page is walked through, and what goes wrong is brought about. The pictures are in build/screenshots.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from playwright.async_api import Browser

from chassis.texts import LANGUAGES, ZONE
from cli.seeding.feeder import Target, applied, feed
from cli.seeding.generator import customers
from cli.stack.background import started
from cli.stack.gateway import STAFF, index_url, site_url
from cli.stack.state import Record, State
from cli.story.papers import Papers, find_row, one_row_file
from cli.story.people import MARIA, Visitor
from cli.story.stage import ERP_IN, Stage, until
from cli.story.utility import PORTAL, bring_in, documents, text
from cli.token import development_token
from contracts.common import Language
from gateway.app import create
from gateway.settings import GatewaySettings
from tests.gateway.browsers import window
from tests.gateway.camera import Camera, Photographed
from tests.gateway.served import served
from tests.gateway.story.cancelling import she_answers, she_begins, she_does_her_task, she_sends, staff_complete
from tests.gateway.story.cast import Cast, How, cast
from tests.gateway.story.paying import CONTRACT, changes_the_instalment
from tests.gateway.story.registering import ambiguous_customer, known_customer, registers, signs_in, unknown_person

FOLDER = Path("build/screenshots")
INSTALLERS = "installers"
NEIGHBOURS, SEED = 60, 1
FAULTY = "customer_number;last_name;email\nK-9001;Winter;\n;Ohne Nummer;kein-at-zeichen\n"
LATER = f"{datetime.now(ZONE).date() + timedelta(days=60)}"
TYPED = {"email": "cleo@example.org", "date": LATER, "tel": "+49 30 23125 001", "text": "V-1001"}


@dataclass(frozen=True)
class Set:
    """What the pictures are taken of: a stack that runs, the people of a story, and their windows."""

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


def main() -> None:
    begun = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    camera = Camera(FOLDER)
    with stack() as state:
        for language in LANGUAGES:
            asyncio.run(photograph(state, camera, language))
    index = camera.write_index()
    sys.stdout.write(f"{len(camera.pictures)} pictures in {time.monotonic() - begun:.0f} s: {index}\n")
    if missing := camera.missing():
        sys.exit("No picture of:\n  " + "\n  ".join(missing))


@contextmanager
def stack() -> Iterator[State]:
    """The one that PORTICO_TEST_STATE_DIR names, or one of its own."""
    if given := os.environ.get("PORTICO_TEST_STATE_DIR"):
        yield State(Path(given))
        return
    with tempfile.TemporaryDirectory(prefix="portico-gallery-") as folder:
        state = State(Path(folder) / ".portico")
        with started(state, "--port-base", "0"):
            yield state


async def photograph(state: State, camera: Camera, language: Language) -> None:
    """Everything in a language."""
    record = state.record()
    async with cast(record, How(language, 1280, javascript=True)) as people:
        windows = {
            name: Photographed(page=each.page, base=each.base, camera=camera, language=language)
            for name, each in people.windows.items()
        }
        stage = Set(state, record, camera, replace(people, windows=windows))
        await neighbours(stage.cast.stage)
        await strangers(stage)
        await the_story(stage)
        await an_installer(stage)
        await journeys_for_everybody(stage)
        await what_staff_do(stage)
        await acting(stage)
        await what_goes_wrong(stage)


async def neighbours(stage: Stage) -> None:
    """Company for those of the story, so that tables are as full as they are in life."""
    place = stage.place
    token = await asyncio.to_thread(development_token, place.services["identity"], "operator")
    topic = f"{place.topic_prefix}.{ERP_IN}"
    target = Target(place.services["entities"], place.services["billing"], place.kafka_servers, topic, token)
    fed = await feed(target, customers(NEIGHBOURS, SEED, datetime.now(UTC).date()), lambda *_: None)
    await applied(target, fed, lambda *_: None)


async def strangers(stage: Set) -> None:
    """Pages that anybody sees, and what becomes of mistakes there."""
    say = stage.cast.how.say
    async with stage.stranger(site_url(PORTAL, stage.record.ports)) as seen:
        for path in ("/", "/register", "/forgot", "/check-inbox", "/imprint", "/privacy", "/styleguide", "/nowhere"):
            await seen.shows(path, "not found" if path == "/nowhere" else "")
        await seen.shows("/contracts", "sign in first")
        await seen.write(say("sign_in.email"), "nobody@example.org")
        await seen.write(say("sign_in.password"), "not the right words")
        await seen.press(say("sign_in.button"))
        await seen.take("refused")
        await seen.shows("/activate/there-is-no-such-link", "unknown")
        await seen.shows("/acting/expired")
        await seen.open("/forgot")
        await seen.write(say("sign_in.email"), stage.cast.scene.anna.email)
        await seen.press(say("forgot.button"))
        await seen.take("new password")
        await seen.open("/register")
        await seen.page.evaluate("document.querySelector('form[action=\"/register\"] input[name=proof]').remove()")
        await seen.page.evaluate("document.querySelector('form[action=\"/register\"]').submit()")
        await seen.take("forged")
    async with stage.stranger(index_url(stage.record.ports)) as seen:
        await seen.walk("/")
    async with stage.stranger(site_url(STAFF, stage.record.ports)) as seen:
        for path in ("/sign-in", "/imprint", "/privacy", "/styleguide", "/reset/there-is-no-such-link"):
            await seen.shows(path)


async def the_story(stage: Set) -> None:
    """Three people register; one of them pays, cancels, and is asked for something; and staff."""
    people = stage.cast
    anna, maria = stage.window(people.scene.anna), stage.window(MARIA)
    await known_customer(people)
    await anna.shows("/", "at first")
    await ambiguous_customer(people)
    await unknown_person(people)
    await stage.window(people.scene.cleo).walk("/", "/contracts", "/payments", "/tasks", "/notices")
    await changes_the_instalment(people)
    await owes(people)
    await she_begins(people, anna)
    await she_answers(people, anna)
    instance = await she_sends(people, anna)
    await maria.walk("/", "/tasks", "/processes", f"/processes/{instance}", f"/contracts/{people.scene.contract_id}")
    await staff_complete(people, instance, "check")
    await people.link_for(people.scene.anna, r"/tasks/[\w-]+/[\w-]+")
    await anna.walk("/", f"/contracts/{people.scene.contract_id}", "/journeys", "/security", "/profile")
    await anna.shows(f"/contracts/{people.scene.contract_id}/instalment", "overdue")
    await anna.shows(f"/contracts/{uuid.uuid4()}", "not found")
    await she_does_her_task(people, anna)
    await staff_complete(people, instance, "confirm")
    await anna.shows(f"/contracts/{people.scene.contract_id}", "cancelled")
    await maria.shows(f"/processes/{instance}", "completed")


async def owes(people: Cast) -> None:
    papers = Papers.of(people.scene.numbers[CONTRACT], datetime.now(ZONE).date())
    for bill in papers.billing_events():
        await people.stage.sends("portico.erp.BillingEvent.v1", papers.contract, bill)
    late = papers.dunning_fee()["external_id"]
    await people.stage.hears("portico.billing.BillingEventRecorded.v1", external_id=late)


async def an_installer(stage: Set) -> None:
    """A contact registers on the installers' portal."""
    mark, people = uuid.uuid4().hex[:8], stage.cast
    row = find_row(text("contacts.csv"), "customer_number", "K-1004")
    row |= {
        "customer_number": f"I-{mark}",
        "first_name": "Ida",
        "last_name": "Winter",
        "email": f"ida-{mark}@example.org",
    }
    await bring_in(people.stage, people.scene.operator, "contact", one_row_file(row))
    ida = Visitor("Ida Winter", row["email"], already_customer=True)
    async with stage.stranger(site_url(INSTALLERS, stage.record.ports)) as seen:
        stage = replace(stage, cast=replace(people, windows={**people.windows, ida.name: seen}))
        await registers(stage.cast, ida)
        await seen.sees(people.how.say("layout.requests"))
        await seen.walk("/", "/tasks", "/contracts", "/requests")


async def journeys_for_everybody(stage: Set) -> None:
    """A journey without signing in, on the portal and in the page of somebody else, with its mistakes."""
    async with stage.stranger(site_url(PORTAL, stage.record.ports)) as seen:
        for root in ("/j", "/embed/j"):
            await seen.shows(f"{root}/cancel_here")
            await seen.press(stage.cast.how.say("journey.begin"))
            await seen.take()
            await seen.press(stage.cast.how.say("journey.next"))
            await seen.take("mistakes")
            await through(stage, seen)


async def through(stage: Set, seen: Photographed) -> None:
    """Fills in whatever is asked, until it is sent."""
    say = stage.cast.how.say
    for _ in range(8):
        if await seen.page.get_by_text(say("journey.sent_title")).count():
            return
        if not await seen.page.locator("form#step").count():
            await seen.take()
            await seen.page.locator("form#send button").first.click()
            await seen.page.wait_for_load_state()
            await seen.take()
            continue
        for group in await seen.page.locator("fieldset.choices").all():
            await group.locator("label").first.click()
        for kind, value in TYPED.items():
            for each in await seen.page.locator(f"#questions input[type={kind}]").all():
                await each.fill(value)
        await seen.press(say("journey.next"))


async def what_staff_do(stage: Set) -> None:
    """Pages that are only reached by forms, and the actions on a user."""
    people, seen, say = stage.cast, stage.window(MARIA), stage.cast.how.say
    await seen.open(f"/users?search={people.scene.ben.email}")
    user = await seen.first_link("/users/")
    for what in ("block", "expiry", "delete", "unassign", "acting"):
        await seen.shows(f"{user}/{what}", what)
    await seen.shows("/users?search=nobody-has-this-name", "none found")
    await seen.shows("/processes?status=open&process=cancellation&view=board", "board")
    async with stage.stranger(site_url(PORTAL, stage.record.ports)) as other:
        dora = Visitor("Dora Ohnesorg-Freifrau von Wolkenstein", f"dora-{uuid.uuid4().hex[:8]}@example.org", False)
        again = replace(stage, cast=replace(people, windows={**people.windows, dora.name: other}))
        await registers(again.cast, dora)
        await seen.open(f"/users?search={dora.email}")
        row = await seen.first_link("/users/")
        await seen.walk(row, f"{row}/assign", f"{row}/contact")
        await blocked(again, dora, row)
    await seen.open("/imports")
    await seen.page.locator("select[name=entity]").select_option("contact")
    await seen.page.locator("input[type=file]").set_input_files(
        {"name": "kunden.csv", "mimeType": "text/csv", "buffer": FAULTY.encode()}
    )
    await seen.press(say("imports.send"))
    await seen.take("refused rows")
    await seen.open("/definitions/journeys/cancellation")
    editor = seen.page.locator("textarea[name=document]")
    await editor.fill((await editor.input_value()).replace('"type": "choice"', '"type": "choise"'))
    await seen.press(say("definitions.check"))
    await seen.page.locator(".tried-mistakes").wait_for()
    await seen.take("mistakes")
    await seen.walk("/members", "/portals/customers/design", "/templates", "/schemas", "/mails", "/failures")


async def blocked(stage: Set, visitor: Visitor, row: str) -> None:
    """Staff block a user; he is told so when he signs in."""
    say, seen, staff = stage.cast.how.say, stage.window(visitor), stage.window(MARIA)
    await staff.open(f"{row}/block")
    await staff.write(say("staff.reason"), "Auf eigenen Wunsch gesperrt")
    await staff.press(say("users.button_block"))
    await staff.take("blocked")
    await seen.page.context.clear_cookies(name="__Host-session")
    await signs_in(stage.cast, seen, visitor)
    await seen.take("blocked")


async def acting(stage: Set) -> None:
    """Maria acts as Anna: the reason, the beginning, the banner, and what cannot be changed."""
    people, say = stage.cast, stage.cast.how.say
    async with stage.stranger(site_url(STAFF, stage.record.ports)) as seen:
        await signs_in(people, seen, MARIA)
        await seen.open(f"/users?search={people.scene.anna.email}")
        await seen.open(f"{await seen.first_link('/users/')}/acting")
        await seen.press(say("acting.button"))
        await seen.take("mistakes")
        await seen.write(say("acting.reason"), "Anruf: Sie findet ihre Abschlagszahlung nicht.")
        await seen.press(say("acting.button"))
        await seen.take()
        await seen.press(say("acting.begin_button", name=people.scene.anna.name))
        await seen.take("acting")
        base = site_url(PORTAL, stage.record.ports)
        for path in ("/security", "/profile"):
            await seen.shows(f"{base}{path}", "acting")


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


if __name__ == "__main__":
    main()
