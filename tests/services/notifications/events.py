"""What identity, processes and journeys tell notifications of users, tasks, automations and submissions."""

import uuid
from typing import Any

from contracts.common import Text
from contracts.identity import UserRegistered
from contracts.ids import stream
from contracts.journeys import JourneySubmitted, RecordRef
from contracts.processes import ActionRequested, Audiences
from tests.services.notifications.conftest import Notifications

TITLE = Text(de="Nachweis einreichen", en="Send proof")
INFO = Audiences(customer=Text(de="Bitte laden Sie ihn hoch.", en="Please upload it."))


async def user(notifications: Notifications, *events: Any) -> str:
    """Somebody who registered; `events` are made with his ids."""
    id_ = str(uuid.uuid4())
    facts = {"user_id": id_, "portal_id": "customers"}
    registered = UserRegistered(
        **facts,
        person=stream("user", id_),
        email=f"{id_}@example.org",
        name="Anna",
        language="en",
        already_customer=True,
    )
    await notifications.owners.say(stream("user", id_), registered, *(event(**facts) for event in events))
    return id_


def of_task(contact: str, **facts: Any) -> dict[str, Any]:
    return {
        "instance_id": "i-1",
        "process_id": "cancellation",
        "record": RecordRef(entity="contract", id=contact),
        "step_id": "proof",
        "contact_id": contact,
        "portal_id": "customers",
        **facts,
    }


def automation(contract: str, template: str, **parameters: Any) -> ActionRequested:
    return ActionRequested(
        **of_task(contract),
        action=0,
        kind="mail",
        parameters={"template": template, "to": "customer", "attach": [], **parameters},
        process_title=Text(de="Kündigung", en="Cancellation"),
    )


def submitted(**facts: Any) -> JourneySubmitted:
    given: dict[str, Any] = {
        "submission_id": "x",
        "reference": "7K3F-9QXM",
        "journey_id": "report",
        "journey_version": 1,
        "portal_id": "customers",
        "language": "en",
        "user_id": None,
        "contact_id": None,
        "context": None,
        "action": None,
        "task": None,
        "person": "submission/x",
        "answers": {},
        "mapped": {},
        "email": "cleo@example.org",
        "files": (),
        "effects": (),
    }
    return JourneySubmitted(**{**given, **facts})
