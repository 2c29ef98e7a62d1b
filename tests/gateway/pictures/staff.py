"""What staff see beside what the stories pass: forms that are wrong, actions on a user, and acting as one."""

from __future__ import annotations

import uuid
from dataclasses import replace

from cli.stack.gateway import STAFF, site_url
from cli.story.people import MARIA, Visitor
from cli.story.utility import PORTAL
from tests.gateway.pictures.place import Set
from tests.gateway.story.registering import registers, signs_in

FAULTY = "customer_number;last_name;email\nK-9001;Winter;\n;Ohne Nummer;kein-at-zeichen\n"


async def what_staff_do(stage: Set) -> None:
    """Pages that are only reached by forms, and the actions on a user."""
    people, seen, say = stage.cast, stage.window(MARIA), stage.cast.how.say
    await seen.open(f"/users?search={people.scene.ben.email}")
    user = await seen.first_link("/users/")
    for what in ("block", "expiry", "delete", "unassign", "acting"):
        await seen.shows(f"{user}/{what}", what)
    await seen.shows("/users?search=nobody-has-this-name", "none found")
    await seen.shows(f"/templates/{PORTAL}/cancellation_confirmed/reset")
    async with stage.stranger(site_url(PORTAL, stage.record.ports)) as other:
        dora = Visitor("Dora Ohnesorg-Freifrau von Wolkenstein", f"dora-{uuid.uuid4().hex[:8]}@example.org", False)
        again = replace(stage, cast=replace(people, windows={**people.windows, dora.name: other}))
        await registers(again.cast, dora)
        await seen.open(f"/users?search={dora.email}")
        row = await seen.first_link("/users/")
        for path in (row, f"{row}/assign", f"{row}/contact"):
            await seen.shows(path, "unknown")
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
