"""The customer's story as people live it: in a browser, on a phone without JavaScript and on a desk with it."""

from __future__ import annotations

import pytest

from cli.stack.state import Record
from tests.gateway.story.cancelling import cancels
from tests.gateway.story.cast import How, cast
from tests.gateway.story.paying import changes_the_instalment
from tests.gateway.story.registering import ambiguous_customer, known_customer, unknown_person

PHONE = How("de", 390, javascript=False)
DESK = How("en", 1280, javascript=True)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("how", [PHONE, DESK], ids=str)
async def test_the_story_of_a_customer(stack: Record, how: How) -> None:
    async with cast(stack, how) as people:
        await known_customer(people)
        await ambiguous_customer(people)
        await unknown_person(people)
        await changes_the_instalment(people)
        await cancels(people)
