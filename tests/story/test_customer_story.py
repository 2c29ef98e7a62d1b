"""The customer's story that `make demo` tells, through the one address: registration, a cancellation, a task; twice."""

from __future__ import annotations

import pytest

from cli.stack.state import Record
from cli.story.customer import play_customer
from cli.story.stage import Place, set_up
from tests.story.recorded import Recorded

EVENTS = [
    "identity.UserRegistered",
    "journeys.JourneySubmitted",
    "billing.CancellationRequested",
    "processes.TaskAssigned",
    "journeys.JourneySubmitted",
    "billing.CancellationConfirmed",
    "billing.ContractTerminated",
]


@pytest.mark.slow
@pytest.mark.parametrize("time", ["first", "second"])
async def test_the_story_of_a_customer(stack: Record, time: str) -> None:
    account = Recorded()
    place = Place.of(stack)
    assert all(url.startswith(f"{stack.front_url}/api/") for url in place.services.values())
    async with set_up(place, account) as stage:
        await play_customer(stage)
    told = [heard.type.removeprefix("portico.").removesuffix(".v1") for heard in account.events]
    assert told == EVENTS, time
    refused = [(status, answer.get("code")) for _, status, answer in account.answers if status >= 400]
    assert (401, "sign_in_refused") in refused
    assert [status for status, _ in refused] == [401, 422, 422, 403]
    assert account.pages[-1]["status"] == "terminated"
    assert any(subject.startswith("Kündigung bestätigt: Ihr Vertrag V-") for subject in account.subjects)
    assert len(account.chapters) == 11
    assert account.checks[-1].startswith("The contract is terminated")
