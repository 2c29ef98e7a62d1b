"""Anna cancels her contract in a journey, does the task that follows, and staff confirm."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from chassis.texts import ZONE
from cli.story.cancellation import PROOF
from cli.story.people import MARIA
from cli.story.utility import documents
from tests.gateway.browsers import Window
from tests.gateway.story.cast import TASK, Cast

REFERENCE = re.compile(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b")
FILE: Any = {"name": PROOF[0], "buffer": PROOF[1], "mimeType": PROOF[2]}


async def cancels(cast: Cast) -> None:
    """From the button on the contract's page to the confirmed end."""
    seen = cast.of(cast.scene.anna)
    await she_begins(cast, seen)
    await she_answers(cast, seen)
    instance = await she_sends(cast, seen)
    await staff_complete(cast, instance, "check")
    await she_does_her_task(cast, seen)
    await staff_complete(cast, instance, "confirm")
    await seen.open(f"/contracts/{cast.scene.contract_id}")
    await cast.appears(seen, cast.how.say("contract.cancel.confirmed"))
    await seen.is_accessible()


async def she_begins(cast: Cast, seen: Window) -> None:
    await seen.open(f"/contracts/{cast.scene.contract_id}")
    await seen.press({"de": "Vertrag kündigen", "en": "Cancel contract"}[cast.how.language])
    await seen.sees(_said(cast, "steps.0.title"))
    await seen.is_accessible()


async def she_answers(cast: Cast, seen: Window) -> None:
    """A mistake is told at its field; going back loses nothing; a file goes up."""
    say = cast.how.say
    await seen.press(say("journey.next"))
    await seen.page.locator("#errors, [role=alert]").first.wait_for()
    await seen.is_accessible()
    await seen.choose(_said(cast, "steps.0.fields.reason.options.moving"))
    moving_on = (datetime.now(ZONE).date() + timedelta(days=21)).isoformat()
    label = _said(cast, "steps.0.fields.moving_on.label")
    if not cast.how.javascript:
        await seen.press(say("journey.next"))
    await seen.write(label, moving_on)
    await seen.is_accessible()
    await seen.press(say("journey.next"))
    await seen.sees(_said(cast, "steps.1.title"))
    await seen.is_accessible()
    await seen.page.go_back()
    assert await seen.page.get_by_label(label).first.input_value() == moving_on
    await seen.page.go_forward()
    await seen.press(say("journey.next"))
    await seen.sees(_said(cast, "steps.2.title"))
    await uploads(cast, seen)
    await seen.is_accessible()
    await seen.press(say("journey.next"))


async def uploads(cast: Cast, seen: Window) -> None:
    await seen.page.locator("input[type=file]").first.set_input_files(FILE)
    if not cast.how.javascript:
        await seen.press(cast.how.say("journey.upload"))
    await seen.sees(PROOF[0])


async def she_sends(cast: Cast, seen: Window) -> str:
    """Checks her answers and sends; her contract shows the process. Returns its instance."""
    say, stage = cast.how.say, cast.stage
    await seen.sees(say("journey.check_title"))
    await seen.sees(PROOF[0])
    await seen.is_accessible()
    await seen.press(say("journey.send"))
    await seen.sees(say("journey.sent_title"))
    await seen.sees(REFERENCE)
    await seen.is_accessible()
    started = await stage.hears("portico.processes.ProcessStarted.v1", process_id="cancellation")
    await seen.press(say("journey.to_contract"))
    await seen.sees_when_opened_again(say("contract.cancel.requested"))
    await seen.is_accessible()
    return str(started.data["instance_id"])


async def staff_complete(cast: Cast, instance: str, step: str) -> None:
    staff = cast.windows[MARIA.name]
    await staff.open(f"/processes/{instance}")
    await staff.is_accessible()
    await staff.press(cast.how.say("board.complete"))
    await cast.stage.hears("portico.processes.StepDone.v1", instance_id=instance, step_id=step)


async def she_does_her_task(cast: Cast, seen: Window) -> None:
    """The link of the mail leads to the task; its journey takes the file, a button says that she is done."""
    say = cast.how.say
    await seen.open(await cast.link_for(cast.scene.anna, TASK))
    await seen.is_accessible()
    await seen.press(say("task.begin"))
    await uploads(cast, seen)
    await seen.press(say("journey.next"))
    await seen.sees(say("journey.check_title"))
    await seen.press(say("journey.send"))
    await seen.press(say("journey.to_task"))
    await seen.sees_when_opened_again(say("task.submitted"))
    await seen.press(say("task.confirm"))
    await seen.sees(say("task.said_done"))
    await seen.is_accessible()


def _said(cast: Cast, path: str) -> str:
    """What the journey's document says at a path, in the language of the story."""
    found: Any = next(each.content for each in documents() if each.name == "journey cancellation")
    for part in path.split("."):
        found = found[int(part)] if part.isdecimal() else found[part]
    return str(found[cast.how.language])
