"""When a step is due: the morning after its day, whoever has to do it is reminded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from chassis.decider import Do
from chassis.texts import ZONE
from chassis.timers import CancelTimer, DueTimer, SetTimer, Timer
from contracts.envelope import Envelope
from contracts.processes import StepActivated, StepDone, StepSkipped
from services.processes.instances.decider import INSTANCE, Remind

MORNING = time(8)


def follow(envelope: Envelope) -> Iterator[SetTimer | CancelTimer]:
    """A timer for each step that is due some day. A step that is left in another way is found not to be active."""
    match envelope.event:
        case StepActivated(due_on=date() as due_on) as event:
            payload = {"instance_id": event.instance_id, "step_id": event.step_id, "due_on": due_on.isoformat()}
            over = datetime.combine(due_on + timedelta(days=1), MORNING, ZONE)
            yield SetTimer(f"{event.instance_id}/{event.step_id}", over, payload)
        case StepDone() | StepSkipped() as event:
            yield CancelTimer(f"{event.instance_id}/{event.step_id}")


def fire(due: DueTimer) -> Iterator[Do[Any, Any]]:
    command = Remind(due.payload["step_id"], date.fromisoformat(due.payload["due_on"]))
    yield Do(INSTANCE, due.payload["instance_id"], command)


OVERDUE = Timer("overdue", (StepActivated, StepDone, StepSkipped), follow, fire)
