"""The small folds: submissions that are sent once, and which tasks of a process are open."""

from datetime import UTC, datetime
from typing import Any

from contracts.base import Event
from contracts.common import Text
from contracts.envelope import Envelope, Metadata, Record
from contracts.ids import Position
from contracts.journeys import FileRef, FilesDeleted, JourneySubmitted, RecordRef
from contracts.processes import (
    Audiences,
    ContactAssignee,
    GroupAssignee,
    ProcessCancelled,
    ProcessStarted,
    StepDone,
    StepPlan,
    StepReopened,
    StepSkipped,
    TaskAssigned,
    TaskDone,
)
from services.journeys.known.views import OpenTask, TasksDoc, evolve_tasks, tasks_key
from services.journeys.submissions.decider import SUBMISSION, DeleteFiles, Submit
from services.journeys.submissions.drafts import REFERENCE_LETTERS, new_reference
from tests.support import given

FILES = tuple(
    FileRef(file_id=each, field="proof", media_type="application/pdf", size_bytes=1, sha256="0" * 64) for each in "ab"
)
SUBMITTED = JourneySubmitted(
    submission_id="s",
    reference="7K3F-9QXM",
    journey_id="cancellation",
    journey_version=1,
    portal_id="customers",
    language="de",
    user_id="u",
    contact_id="c",
    context=RecordRef(entity="contract", id="v"),
    action="cancel",
    task=None,
    person="contact/c",
    answers={},
    mapped={},
    email=None,
    files=FILES,
    effects=(),
)


def test_a_submission_is_sent_once() -> None:
    given(SUBMISSION).when(Submit(SUBMITTED)).then(SUBMITTED)
    other = SUBMITTED.model_copy(update={"answers": {"reason": "price"}})
    given(SUBMISSION, SUBMITTED).when(Submit(other)).then()


def test_files_are_deleted_once_and_only_its_own() -> None:
    gone = FilesDeleted(submission_id="s", file_ids=("a",))
    given(SUBMISSION).when(DeleteFiles("s", ("a",))).then()
    given(SUBMISSION, SUBMITTED).when(DeleteFiles("s", ("a", "foreign"))).then(gone)
    given(SUBMISSION, SUBMITTED, gone).when(DeleteFiles("s", ("a",))).then()


def test_references_can_be_read_out() -> None:
    reference = new_reference()
    assert len(reference) == 9
    assert reference[4] == "-"
    assert set(reference.replace("-", "")) <= set(REFERENCE_LETTERS)
    assert not set("01IO") & set(REFERENCE_LETTERS)


FACTS: dict[str, Any] = {
    "instance_id": "i",
    "process_id": "cancellation",
    "record": RecordRef(entity="contract", id="v"),
}
TITLE = Text(de="Titel", en="Title")
CUSTOMER = ContactAssignee(role="customer", contact_id="c")


def started(*steps: str) -> ProcessStarted:
    plans = tuple(
        StepPlan(
            id=step, title=TITLE, description=None, info=Audiences(), shown_to=(), journey="proof", done_on="confirm"
        )
        for step in steps
    )
    return ProcessStarted(
        **FACTS,
        process_version=1,
        title=TITLE,
        steps=plans,
        contact_id="c",
        portal_id=None,
        submission_id=None,
        effect=None,
    )


def assigned(step: str, assignee: Any = CUSTOMER) -> TaskAssigned:
    return TaskAssigned(
        **FACTS,
        step_id=step,
        assignee=assignee,
        title=TITLE,
        info=Audiences(),
        journey="proof",
        done_on="confirm",
        due_on=None,
        contact_id="c",
        portal_id=None,
    )


DONE = TaskDone(
    **FACTS, step_id="two", assignee=CUSTOMER, title=TITLE, submission_id=None, contact_id="c", portal_id=None
)


def open_after(*events: Event) -> dict[str, OpenTask]:
    doc: TasksDoc | None = None
    for number, event in enumerate(events, 1):
        position = Position("processes", 0, number)
        record = Record(position, "process/i", number, event.type, datetime.now(UTC), Metadata(), b"")
        envelope = Envelope(record, event)
        assert tasks_key(envelope) == "i"
        doc = evolve_tasks(doc, envelope)
    return doc.open if doc else {}


def test_a_task_is_open_from_its_assignment_to_its_end() -> None:
    begun = (started("one", "two"), assigned("two"))
    assert open_after(*begun) == {"two": OpenTask(contact_id="c", journey="proof")}
    cancelled = ProcessCancelled(**FACTS, reason="changed his mind", submission_id=None)
    for end in (DONE, StepDone(**FACTS, step_id="two"), StepSkipped(**FACTS, step_id="two", reason=None), cancelled):
        assert open_after(*begun, end) == {}
    assert open_after(*begun, assigned("two", GroupAssignee(group="service"))) == {}


def test_reopening_closes_what_stands_behind_until_it_is_assigned_again() -> None:
    begun = (started("one", "two", "three"), assigned("one"), assigned("two"), assigned("three"))
    reopened = StepReopened(**FACTS, step_id="two", reason="incomplete")
    assert set(open_after(*begun, reopened)) == {"one"}
    assert set(open_after(*begun, reopened, assigned("two"))) == {"one", "two"}
