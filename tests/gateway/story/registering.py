"""Three people register: one is known, one says who he is, one waits until staff have made her a contact."""

from __future__ import annotations

import re

from cli.story.people import MARIA, Visitor
from tests.gateway.browsers import Window
from tests.gateway.story.cast import ACTIVATION, Cast

BEN = "K-1002"


async def registers(cast: Cast, visitor: Visitor) -> Window:
    """From the sign-in page to the confirmed address, and signed in; the pages are examined for the first visitor."""
    say, seen, is_first = cast.how.say, cast.of(visitor), visitor is cast.scene.anna
    await seen.open("/")
    await seen.sees(say("sign_in.title"))
    await seen.press(say("sign_in.register"))
    await seen.press(say("register.button"))
    if is_first:
        await seen.is_accessible()
    await seen.choose(say("register.choice_yes" if visitor.already_customer else "register.choice_no"))
    await seen.write(say("register.name"), visitor.name)
    await seen.write(say("register.email"), visitor.email)
    await seen.write(say("register.password"), visitor.password)
    await seen.press(say("register.button"))
    await seen.sees(say("check_inbox.title"))
    if is_first:
        await seen.is_accessible()
    await seen.open(await cast.link_for(visitor, ACTIVATION))
    await seen.is_accessible()
    await seen.press(say("activate.button"))
    await signs_in(cast, seen, visitor)
    return seen


async def signs_in(cast: Cast, seen: Window, visitor: Visitor) -> None:
    say = cast.how.say
    if not await seen.page.get_by_label(say("sign_in.email")).count():
        await seen.open("/sign-in")
    await seen.write(say("sign_in.email"), visitor.email)
    await seen.write(say("sign_in.password"), visitor.password)
    await seen.press(say("sign_in.button"))


async def known_customer(cast: Cast) -> None:
    """Anna's address is that of one contact: she sees her contract."""
    seen = await registers(cast, cast.scene.anna)
    await seen.sees(cast.how.say("start.contracts"))
    await seen.sees("Strom Öko+")
    await seen.is_accessible()


async def ambiguous_customer(cast: Cast) -> None:
    """Ben's address is that of two contacts: a wrong number is refused, the right one lets him in."""
    say = cast.how.say
    seen = await registers(cast, cast.scene.ben)
    await seen.sees(say("identify.title"))
    await seen.is_accessible()
    field = seen.page.locator("main input[type=text], main input:not([type])").first
    await field.fill("K-0000")
    await seen.press(say("identify.button"))
    await seen.sees(say("identify.wrong"))
    await seen.is_accessible()
    await field.fill(cast.scene.numbers[BEN])
    await seen.press(say("identify.button"))
    await seen.sees(say("start.contracts"))


def created(cast: Cast) -> re.Pattern[str]:
    """What staff are told, whatever the number of the new contact is."""
    return re.compile(re.escape(cast.how.say("users.done_contact", number="NUMBER")).replace("NUMBER", r"[\w-]+"))


async def unknown_person(cast: Cast) -> None:
    """Nobody has Cleo's address: she waits, Maria makes a contact of the row, and she comes in."""
    say, cleo, staff = cast.how.say, cast.scene.cleo, cast.windows[MARIA.name]
    seen = await registers(cast, cleo)
    await seen.sees(say("waiting.waiting"))
    await seen.is_accessible()
    await staff.open("/sign-in")
    await signs_in(cast, staff, MARIA)
    await staff.sees(say("overview.hello", name=MARIA.name))
    await staff.is_accessible()
    await staff.open(f"/users?search={cleo.email}")
    await staff.press(cleo.name)
    await staff.is_accessible()
    await staff.press(say("users.create_contact"))
    await staff.is_accessible()
    await staff.press(say("users.create_button"))
    await staff.sees(created(cast))
    await seen.press(say("waiting.again"))
    await seen.sees(say("start.hello", name=cleo.name))
