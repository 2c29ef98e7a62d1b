"""Which events call for which mails: pure, and the whole list of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from chassis.texts import ZONE
from contracts.base import Event
from contracts.billing import CancellationConfirmed, InstalmentChanged, InstalmentConfirmed, InstalmentRefused
from contracts.common import Text
from contracts.envelope import Envelope
from contracts.identity import ActivationRequested, InvitationRequested, PasswordResetRequested, UserAssigned
from contracts.journeys import JourneySubmitted, MailEffect, RecordRef
from contracts.processes import (
    ActionRequested,
    Assignee,
    ContactAssignee,
    StaffAssignee,
    StepOverdue,
    TaskAssigned,
    TaskDone,
)
from services.notifications.addressee import Audience, Kind

CONTRACT = "contract"
NO_VALUES = {"contract_id", "contract_number", "contact_id", "change_id", "portal_id"}
CONFIRMATION = "cancellation_confirmed"


@dataclass(frozen=True, slots=True)
class Draft:
    """A mail that an event calls for. `variables` are the template's own; none of them is personal.

    `to` a `group`: to each member of staff in it. `sent_for`: what it is sent for once, where that is not the event.
    """

    template: str
    to: Kind | Literal["group"]
    to_id: str | None
    portal_id: str | None
    audience: Audience | None = "customer"
    contract_id: str | None = None
    contract_number: str | None = None
    link: str = "contract"
    target: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    submission_id: str | None = None
    effect: int | None = None
    sent_for: str | None = None


INSTALMENTS: Mapping[type[Event], str] = {
    InstalmentChanged: "instalment_requested",
    InstalmentConfirmed: "instalment_confirmed",
    InstalmentRefused: "instalment_refused",
}
OF_USERS: Mapping[type[Event], tuple[str, str]] = {
    ActivationRequested: ("activation", "activation"),
    PasswordResetRequested: ("password_reset", "reset"),
    InvitationRequested: ("invitation", "invitation"),
}
EVENTS: tuple[type[Event], ...] = (
    *INSTALMENTS,
    *OF_USERS,
    UserAssigned,
    JourneySubmitted,
    TaskAssigned,
    TaskDone,
    StepOverdue,
    ActionRequested,
    CancellationConfirmed,
)


def drafts(envelope: Envelope) -> Iterator[Draft]:
    """The mails that follow from an event."""
    match envelope.event:
        case InstalmentChanged() | InstalmentConfirmed() | InstalmentRefused() as event:
            yield _of_instalment(event)
        case ActivationRequested() | PasswordResetRequested() | InvitationRequested() as event:
            template, link = OF_USERS[type(event)]
            yield Draft(template, "user", event.user_id, event.portal_id, audience=None, link=link)
        case UserAssigned(by="staff") as event:
            yield Draft("assigned", "user", event.user_id, event.portal_id, audience=None, link="portal")
        case JourneySubmitted() as event:
            yield from _of_submission(event, envelope)
        case TaskAssigned() as event:
            yield from _of_task(event, "task_assigned", getattr(event.info, _role(event.assignee), None))
        case StepOverdue() as event:
            yield from _of_task(event, "task_overdue", None)
        case TaskDone(group=str(group)) as event:
            yield _of_done_task(event, group)
        case ActionRequested(kind="mail") as event:
            yield from _of_action(event)
        case CancellationConfirmed() as event:
            yield _of_confirmation(event)


def _of_instalment(event: InstalmentChanged | InstalmentConfirmed | InstalmentRefused) -> Draft:
    return Draft(
        template=INSTALMENTS[type(event)],
        to="contact",
        to_id=event.contact_id,
        portal_id=event.portal_id,
        contract_id=event.contract_id,
        contract_number=event.contract_number,
        variables=event.model_dump(mode="json", exclude=NO_VALUES),
    )


def _of_submission(event: JourneySubmitted, envelope: Envelope) -> Iterator[Draft]:
    """To the contact; else to the user who is none yet; else to the address that was given."""
    to: Kind = "contact" if event.contact_id else "user" if event.user_id else "submission"
    contract_id = _contract(event.context)
    for index, effect in enumerate(event.effects):
        if isinstance(effect, MailEffect):
            yield Draft(
                template=effect.template,
                to=to,
                to_id=event.contact_id or event.user_id or event.submission_id,
                portal_id=event.portal_id,
                audience=None,
                contract_id=contract_id,
                link="contract" if contract_id else "portal",
                variables={
                    "reference": event.reference,
                    "submitted_on": envelope.time.astimezone(ZONE).date().isoformat(),
                    "journey_id": event.journey_id,
                    "files": len(event.files),
                },
                submission_id=event.submission_id,
                effect=index,
            )


def _role(assignee: Assignee) -> str:
    return assignee.role if isinstance(assignee, ContactAssignee) else ""


def _of_task(event: TaskAssigned | StepOverdue, template: str, info: Text | None) -> Iterator[Draft]:
    assignee = event.assignee
    about_it = {"info": info.model_dump() if info else None} if isinstance(event, TaskAssigned) else {}
    draft = Draft(
        template=template,
        to="staff",
        to_id=None,
        portal_id=event.portal_id,
        audience=None,
        contract_id=_contract(event.record),
        link="portal",
        variables={
            "title": event.title.model_dump(),
            "due_on": event.due_on.isoformat() if event.due_on else None,
            **about_it,
        },
    )
    match assignee:
        case ContactAssignee(contact_id=contact_id, role=role):
            target = {"instance_id": event.instance_id, "step_id": event.step_id}
            yield replace(draft, to="contact", to_id=contact_id, audience=role, link="task", target=target)
        case StaffAssignee(staff_id=staff_id):
            yield replace(draft, to_id=staff_id)


def _of_done_task(event: TaskDone, group: str) -> Draft:
    return Draft(
        template="task_done",
        to="group",
        to_id=group,
        portal_id=event.portal_id,
        audience=None,
        contract_id=_contract(event.record),
        link="portal",
        variables={"title": event.title.model_dump(), "submitted": event.submission_id is not None},
    )


def _of_action(event: ActionRequested) -> Iterator[Draft]:
    """To an installer only where there is one. The customer's confirmation of his contract's end is left to billing.

    So a confirmed cancellation is one mail, and none says that something is confirmed that is not.
    """
    to = event.parameters.get("to", "customer")
    template = str(event.parameters.get("template", ""))
    people: dict[str, tuple[Kind | Literal["group"], str | None, Audience | None]] = {
        "installer": ("contact", event.installer_id, "installer"),
        "staff": ("group", event.group, None),
    }
    kind, id_, audience = people.get(str(to), ("contact", event.contact_id, "customer"))
    by_billing = template == CONFIRMATION and audience == "customer"
    if by_billing or (audience == "installer" and id_ is None):
        return
    contract_id = _contract(event.record)
    yield Draft(
        template=template,
        to=kind,
        to_id=id_,
        portal_id=event.portal_id,
        audience=audience,
        contract_id=contract_id,
        link="contract" if contract_id and kind == "contact" else "portal",
        variables={"process": event.process_title.model_dump() if event.process_title else None},
    )


def _of_confirmation(event: CancellationConfirmed) -> Draft:
    """The end of the contract is confirmed in text form (EnWG 41b(1)), once for each cancellation and recipient."""
    return Draft(
        template=CONFIRMATION,
        to="contact",
        to_id=event.contact_id,
        portal_id=event.portal_id,
        contract_id=event.contract_id,
        contract_number=event.contract_number,
        variables={"ends_on": event.ends_on.isoformat()},
        sent_for=f"cancellation/{event.cancellation_id}",
    )


def _contract(record: RecordRef | None) -> str | None:
    return record.id if record and record.entity == CONTRACT else None
