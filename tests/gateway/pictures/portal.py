"""What customers, installers and strangers see, and what they pass in the stories."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta

from chassis.texts import ZONE
from cli.stack.gateway import STAFF, index_url, site_url
from cli.story.papers import Papers, find_row, one_row_file
from cli.story.people import MARIA, Visitor
from cli.story.registration import BENS_OTHER
from cli.story.utility import PORTAL, bring_in, text
from tests.gateway.pictures.camera import Photographed
from tests.gateway.pictures.place import Set
from tests.gateway.story.cancelling import she_answers, she_begins, she_does_her_task, she_sends, staff_complete
from tests.gateway.story.cast import TASK, Cast
from tests.gateway.story.paying import CONTRACT, changes_the_instalment
from tests.gateway.story.registering import ambiguous_customer, known_customer, registers, unknown_person

INSTALLERS = "installers"
LATER = f"{datetime.now(ZONE).date() + timedelta(days=60)}"
TYPED = {"email": "cleo@example.org", "date": LATER, "tel": "+49 30 23125 001", "text": "V-1001"}
NAMED = {"name": "Cleo Baum", "street": "Lindenstraße 12", "postcode": "01945", "city": "Lindenau"}
MOST_STEPS = 8


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
        await seen.walk("/", "/styleguide")
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
    await links_of_mails(stage)
    await stage.window(people.scene.cleo).walk("/", "/contracts", "/payments", "/tasks", "/notices")
    await changes_the_instalment(people)
    await owes(people)
    await she_begins(people, anna)
    await she_answers(people, anna)
    instance = await she_sends(people, anna)
    await maria.shows("/processes?status=open&process=cancellation&view=board", "board")
    await maria.walk("/", "/tasks", "/processes", f"/processes/{instance}", f"/contracts/{people.scene.contract_id}")
    await staff_complete(people, instance, "check")
    await people.link_for(people.scene.anna, TASK)
    await anna.walk("/", f"/contracts/{people.scene.contract_id}", "/journeys", "/security", "/profile")
    await anna.shows(f"/contracts/{people.scene.contract_id}/instalment", "overdue")
    await anna.shows(f"/contracts/{uuid.uuid4()}", "not found")
    await she_does_her_task(people, anna)
    await staff_complete(people, instance, "confirm")
    await anna.shows(f"/contracts/{people.scene.contract_id}", "cancelled")
    await maria.shows(f"/processes/{instance}", "completed")


async def links_of_mails(stage: Set) -> None:
    """Anna has forgotten her password, and somebody is invited: what the links lead to."""
    people = stage.cast
    api, anna, guest = (
        people.stage,
        people.scene.anna,
        replace(people.scene.ben, email=f"{uuid.uuid4().hex}@example.org"),
    )
    async with stage.stranger(site_url(PORTAL, stage.record.ports)) as seen:
        await seen.open("/forgot")
        await seen.write(people.how.say("sign_in.email"), anna.email)
        await seen.press(people.how.say("forgot.button"))
        await seen.shows(await people.link_for(anna, r"/reset/[\w-]+"))
        invitation = {"contact_id": people.scene.ids[people.scene.numbers[BENS_OTHER]], "email": guest.email}
        path = f"/portals/{PORTAL}/invitations"
        await api.ask(people.scene.staff, "POST", "identity", path, status=202, body=invitation)
        await seen.shows(await people.link_for(guest, r"/invitations/[\w-]+"))


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
    for _ in range(MOST_STEPS):
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
                field = (await each.get_attribute("name") or "").rpartition(".")[2]
                await each.fill(NAMED.get(field, value))
        await seen.press(say("journey.next"))
