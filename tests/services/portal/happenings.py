"""What happens after a customer has submitted something: events of journeys, processes, billing and the others."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from contracts.base import Event
from contracts.billing import (
    CancellationConfirmed,
    CancellationRefused,
    CancellationRequested,
    CancellationWithdrawn,
    ContractTerminated,
)
from contracts.common import Text
from contracts.entities import MappingApplied, MappingRefused
from contracts.identity import UserActivated, UserAssigned, UserRegistered
from contracts.journeys import (
    CancelContractEffect,
    FileRef,
    JourneySubmitted,
    MailEffect,
    MapEffect,
    RecordRef,
    StartProcessEffect,
    TaskRef,
)
from contracts.notifications import MessageFailed, MessageSent, NoticePosted
from contracts.processes import (
    Audiences,
    ContactAssignee,
    GroupAssignee,
    ProcessStarted,
    StepActivated,
    StepDone,
    StepPlan,
    StepReopened,
    StepSkipped,
    TaskAssigned,
    TaskDone,
)
from tests.services.portal.events import TODAY

CHECK, PROOF, CONFIRMED = "check", "proof", "confirmed"
ENDS_ON = date(2027, 1, 31)
MAP, CANCEL, START, MAIL = range(4)


def text(words: str) -> Text:
    return Text(de=words, en=f"{words} (en)")


def plan(step_id: str, *shown_to: Literal["customer", "installer"], **more: Any) -> StepPlan:
    info = Audiences(customer=text(f"Info {step_id}"), installer=text(f"Fach {step_id}"))
    values: dict[str, Any] = {"description": None, "journey": None, "done_on": "confirm", **more}
    return StepPlan(id=step_id, title=text(step_id), info=info, shown_to=shown_to, **values)


STEPS = (
    plan(CHECK, "customer"),
    plan(PROOF, "customer", "installer", journey="upload_proof", when=({"contract.status": {"is": "active"}},)),
    plan("internal"),
    plan(CONFIRMED, "customer", "installer"),
)


def of_process(instance_id: str, contract_id: str) -> dict[str, Any]:
    record = RecordRef(entity="contract", id=contract_id)
    return {"instance_id": instance_id, "process_id": "cancellation", "record": record}


def started(
    instance_id: str, contract_id: str, submission_id: str | None = None, effect: int | None = START
) -> ProcessStarted:
    return ProcessStarted(
        **of_process(instance_id, contract_id),
        process_version=1,
        title=text("Kündigung"),
        steps=STEPS,
        contact_id=None,
        portal_id="customers",
        submission_id=submission_id,
        effect=effect if submission_id else None,
    )


def turn(instance_id: str, contract_id: str, step_id: str, contact_id: str | None, **more: Any) -> list[Event]:
    """It is a step's turn: the contact's (a customer's unless `role` says otherwise), or that of a group of staff."""
    step, due_on = {**of_process(instance_id, contract_id), "step_id": step_id}, more.get("due_on")
    assignee = (
        ContactAssignee(role=more.get("role", "customer"), contact_id=contact_id)
        if contact_id
        else GroupAssignee(group="customer_service")
    )
    assigned = TaskAssigned(
        **step,
        assignee=assignee,
        title=text(step_id),
        info=Audiences(),
        journey=None,
        done_on="confirm",
        due_on=due_on,
        contact_id=contact_id,
        portal_id="customers",
    )
    return [StepActivated(**step, due_on=due_on), assigned]


def done(instance_id: str, contract_id: str, step_id: str) -> StepDone:
    return StepDone(**of_process(instance_id, contract_id), step_id=step_id)


def said_done(instance_id: str, contract_id: str, step_id: str, contact_id: str) -> list[Event]:
    reported = TaskDone(
        **of_process(instance_id, contract_id),
        step_id=step_id,
        assignee=ContactAssignee(role="customer", contact_id=contact_id),
        title=text(step_id),
        submission_id="s2",
        contact_id=contact_id,
        portal_id="customers",
    )
    return [reported, done(instance_id, contract_id, step_id)]


def skipped(instance_id: str, contract_id: str, step_id: str, reason: str | None) -> StepSkipped:
    return StepSkipped(**of_process(instance_id, contract_id), step_id=step_id, reason=reason)


def reopened(instance_id: str, contract_id: str, step_id: str) -> StepReopened:
    return StepReopened(**of_process(instance_id, contract_id), step_id=step_id, reason=None)


def submitted(
    submission_id: str, contact_id: str | None, contract_id: str, *, files: int = 1, task: TaskRef | None = None
) -> JourneySubmitted:
    contract = RecordRef(entity="contract", id=contract_id)
    return JourneySubmitted(
        submission_id=submission_id,
        reference=f"REF-{submission_id[:4]}",
        journey_id="cancellation",
        journey_version=1,
        portal_id="customers",
        language="de",
        user_id=None,
        contact_id=contact_id,
        context=contract,
        action="cancel",
        task=task,
        person=f"contact/{contact_id}" if contact_id else f"submission/{submission_id}",
        answers={"reason": "ein sehr persönlicher Grund"},
        mapped={"0": {"cancel_reason": "ein sehr persönlicher Grund"}},
        email="anna@example.org",
        files=tuple(pdf(f"{submission_id}-{number}") for number in range(files)),
        effects=(
            MapEffect(record=contract, attributes=("cancel_reason",)),
            CancelContractEffect(contract_id=contract_id, ends_on=None),
            StartProcessEffect(process="cancellation", record=contract),
            MailEffect(template="receipt"),
        ),
    )


def pdf(file_id: str) -> FileRef:
    return FileRef(file_id=file_id, field="proof", media_type="application/pdf", size_bytes=9, sha256="")


def mapped(submission_id: str, contract_id: str) -> MappingApplied:
    return MappingApplied(submission_id=submission_id, effect=MAP, entity="contract", id=contract_id)


def not_mapped(submission_id: str, contract_id: str, code: str) -> MappingRefused:
    return MappingRefused(
        submission_id=submission_id, effect=MAP, entity="contract", id=contract_id, code=code, attribute="cancel_reason"
    )


def mailed(submission_id: str, failed: bool = False) -> MessageSent | MessageFailed:
    message: dict[str, Any] = {
        "message_id": "m1",
        "cause": "journeys/0:1",
        "template": "receipt",
        "language": "de",
        "contact_id": None,
        "person": f"submission/{submission_id}",
        "recipient": "anna@example.org",
        "subject": "Eingang",
        "attempts": 1,
        "submission_id": submission_id,
        "effect": MAIL,
    }
    return MessageFailed(**message, reason="550") if failed else MessageSent(**message)


def cancelled(contract_id: str, submission_id: str | None = None, *, ends_on: date = ENDS_ON) -> CancellationRequested:
    return CancellationRequested(
        **of_cancellation(contract_id),
        cancellation_id="k1",
        requested_on=TODAY,
        ends_on=ends_on,
        basis="renewal",
        notice="P1M",
        reason="moving",
        submission_id=submission_id,
        effect=CANCEL if submission_id else None,
        portal_id="customers",
    )


def not_cancelled(contract_id: str, submission_id: str, code: str) -> CancellationRefused:
    return CancellationRefused(
        **of_cancellation(contract_id), submission_id=submission_id, effect=CANCEL, code=code, portal_id="customers"
    )


def cancellation_confirmed(contract_id: str, ends_on: date = ENDS_ON) -> CancellationConfirmed:
    return CancellationConfirmed(
        **of_cancellation(contract_id), cancellation_id="k1", ends_on=ends_on, portal_id="customers"
    )


def withdrawn(contract_id: str) -> CancellationWithdrawn:
    return CancellationWithdrawn(
        **of_cancellation(contract_id), cancellation_id="k1", reason="wish", portal_id="customers"
    )


def terminated(contract_id: str) -> ContractTerminated:
    return ContractTerminated(**of_cancellation(contract_id), cancellation_id="k1", ends_on=ENDS_ON)


def of_cancellation(contract_id: str) -> dict[str, Any]:
    return {"contract_id": contract_id, "contract_number": "V-1", "contact_id": None}


def noticed(notice_id: str, contact_id: str | None, group: str | None = None) -> NoticePosted:
    return NoticePosted(
        notice_id=notice_id,
        cause="processes/0:1",
        kind="task_assigned",
        contact_id=contact_id,
        group=group,
        title=text(f"Hinweis {notice_id}"),
        target={"record": {"entity": "contract", "id": "1"}},
        portal_id="customers",
    )


def registered(user_id: str) -> UserRegistered:
    return UserRegistered(
        user_id=user_id,
        portal_id="customers",
        person=f"user/{user_id}",
        email="anna@example.org",
        name="Anna Sommer",
        language="de",
        already_customer=True,
    )


def activated(user_id: str) -> UserActivated:
    return UserActivated(user_id=user_id, portal_id="customers")


def assigned(user_id: str, contact_id: str) -> UserAssigned:
    return UserAssigned(user_id=user_id, portal_id="customers", contact_id=contact_id, by="email")
