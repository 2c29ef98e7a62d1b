"""The customer's story: three people register, and one of them cancels her contract."""

from __future__ import annotations

from cli.story.cancellation import play_cancellation
from cli.story.people import Visitor
from cli.story.registration import (
    ambiguous_customer_identifies,
    known_customer_registers,
    prepare,
    unknown_person_waits,
)
from cli.story.stage import Stage


async def play_customer(stage: Stage) -> list[Visitor]:
    """Plays the whole story and returns who can sign in; raises StoryFailed at the first step that fails."""
    scene = await prepare(stage)
    anna = await known_customer_registers(stage, scene)
    await ambiguous_customer_identifies(stage, scene)
    await unknown_person_waits(stage, scene)
    await play_cancellation(stage, scene, anna)
    return [scene.anna, scene.ben, scene.cleo]
