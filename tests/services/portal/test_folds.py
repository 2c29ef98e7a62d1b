"""What follows a submission, as folds: processes, outcomes, cancellations, notices, users and definitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from chassis.views import D, View
from contracts.base import Event, Sealed
from contracts.entities import SchemaPublished
from contracts.identity import PersonErased, UserDeleted, UserUnassigned
from contracts.ids import stream
from contracts.journeys import FilesDeleted
from contracts.portal import NoticeRead
from contracts.processes import ProcessCancelled, ProcessCompleted
from services.portal.cancellations.views import CANCELLATIONS
from services.portal.configuration.views import PORTALS
from services.portal.definitions.shape import shape_of
from services.portal.definitions.views import DEFINITIONS, JOURNEYS
from services.portal.notices.decider import NOTICE, Read
from services.portal.notices.views import NOTICES
from services.portal.processes.views import PROCESSES, ProcessDoc
from services.portal.requests.views import REQUESTS
from services.portal.users.views import USERS, UserDoc
from tests.services.portal.documents import PUBLISHED, WITHDRAWN
from tests.services.portal.events import CONTRACT_SCHEMA, NOW, enveloped
from tests.services.portal.happenings import (
    CHECK,
    CONFIRMED,
    ENDS_ON,
    MAIL,
    MAP,
    PROOF,
    activated,
    assigned,
    cancellation_confirmed,
    cancelled,
    done,
    mailed,
    mapped,
    not_cancelled,
    not_mapped,
    noticed,
    of_process,
    registered,
    reopened,
    said_done,
    skipped,
    started,
    submitted,
    terminated,
    turn,
    withdrawn,
)
from tests.support import given as given_events

VIEWS: tuple[View[Any], ...] = (PROCESSES, REQUESTS, CANCELLATIONS, NOTICES, USERS, DEFINITIONS, PORTALS)
WORDS = st.sampled_from(
    ["label", "de", "en", "type", "options", "attributes", "decided_by", "unique", "attribute", "general"]
)
RUBBISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)
BOX = Sealed(sealed="user/u", box="")


def folded(view: View[D], events: Sequence[Event]) -> dict[str, D]:
    envelopes = [enveloped(event) for event in events if isinstance(event, view.events)]
    return {key: document for key, document in view.fold({}, envelopes).items() if document is not None}


def one(view: View[D], *events: Event) -> D:
    (document,) = folded(view, events).values()
    return document


def statuses(process: ProcessDoc) -> list[str]:
    return [step.status for step in process.steps]


class TestProcesses:
    begun = (started("p", "1"), *turn("p", "1", CHECK, None))
    mine = (*begun, done("p", "1", CHECK), *turn("p", "1", PROOF, "anna"))

    def test_it_waits_for_staff_and_then_for_the_contact(self) -> None:
        first, then = one(PROCESSES, *self.begun), one(PROCESSES, *self.mine)
        assert (statuses(first), first.waits_for, first.waits_for_staff) == (["active", *["pending"] * 3], None, True)
        assert (statuses(then), then.waits_for, then.waits_for_staff) == (
            ["done", "active", "pending", "pending"],
            "anna",
            False,
        )
        assert [step.id for step in then.tasks_of("anna")] == [PROOF]
        assert (then.customer, then.installer, then.has_tasks_behind) == ("anna", None, False)

    def test_what_is_done_stays_the_contacts_task(self) -> None:
        process = one(PROCESSES, *self.mine, *said_done("p", "1", PROOF, "anna"))
        (task,) = process.tasks_of("anna")
        assert (task.status, task.submission_id, task.done_at) == ("done", "s2", NOW)
        assert (process.waits_for, process.waits_for_staff, process.has_tasks_behind) == (None, False, True)

    def test_reopened_all_behind_is_as_before(self) -> None:
        over = (
            *self.mine,
            *said_done("p", "1", PROOF, "anna"),
            ProcessCompleted(**of_process("p", "1"), submission_id=None),
        )
        assert one(PROCESSES, *over).status == "completed"
        again = one(PROCESSES, *over, reopened("p", "1", CHECK), *turn("p", "1", CHECK, None))
        assert (statuses(again), again.status, again.ended_at) == (["active", *["pending"] * 3], "open", None)
        assert (again.tasks_of("anna"), again.has_tasks_behind, again.customer) == ([], False, None)

    def test_given_to_somebody_else(self) -> None:
        process = one(PROCESSES, *self.mine, turn("p", "1", PROOF, "otto", role="installer")[1])
        assert (process.waits_for, process.installer, process.customer) == ("otto", "otto", None)

    def test_cancelled_nobody_has_to_do_anything(self) -> None:
        ended = ProcessCancelled(**of_process("p", "1"), reason="x", submission_id=None)
        process = one(PROCESSES, *self.mine, ended)
        assert (process.status, process.waits_for, process.waits_for_staff) == ("cancelled", None, False)
        assert process.has_tasks_behind

    def test_left_out_is_not_skipped_by_staff(self) -> None:
        process = one(
            PROCESSES, *self.begun, skipped("p", "1", PROOF, None), skipped("p", "1", CONFIRMED, "not needed")
        )
        assert [(step.status, step.left_out) for step in process.steps[1:]] == [
            ("skipped", True),
            ("pending", False),
            ("skipped", False),
        ]


class TestRequests:
    def test_outcomes_come_before_and_after_the_submission(self) -> None:
        request = one(REQUESTS, cancelled("1", "s"), submitted("s", "anna", "1"), mapped("s", "1"), mailed("s"))
        assert {index: outcome.status for index, outcome in request.outcomes.items()} == {
            "0": "done",
            "1": "done",
            "3": "done",
        }
        assert (request.outcomes["1"].ends_on, request.has_failed, request.has_files) == (ENDS_ON, False, True)

    def test_what_failed_is_known_until_it_is_made_good(self) -> None:
        failed = (submitted("s", "anna", "1"), mailed("s", failed=True))
        assert one(REQUESTS, *failed).has_failed
        assert not one(REQUESTS, *failed, mailed("s")).has_failed
        refused = one(REQUESTS, not_mapped("s", "1", "invalid_choice"), not_cancelled("1", "s", "no"))
        assert [outcome.code for outcome in refused.outcomes.values()] == ["invalid_choice", "no"]
        assert refused.has_failed
        assert refused.submitted is None

    def test_deleted_files_are_gone(self) -> None:
        deleted = FilesDeleted(submission_id="s", file_ids=("s-0",))
        for events in ([submitted("s", "anna", "1"), deleted], [deleted, submitted("s", "anna", "1")]):
            request = one(REQUESTS, *events)
            assert (request.files, request.has_files) == ((), False)

    def test_nothing_that_people_wrote_is_kept(self) -> None:
        kept = one(REQUESTS, submitted("s", None, "1"), mailed("s")).model_dump_json()
        assert "persönlich" not in kept
        assert "anna@" not in kept

    def test_what_no_submission_asked_for_is_passed_over(self) -> None:
        assert not folded(REQUESTS, [started("p", "1"), cancelled("1")])
        own = mailed("s").model_copy(update={"submission_id": None, "effect": None})
        assert not folded(REQUESTS, [own])


class TestCancellations:
    def test_requested_confirmed_and_ended(self) -> None:
        later = ENDS_ON.replace(month=2, day=28)
        events = (cancelled("1"), cancellation_confirmed("1", later), terminated("1"))
        told = [one(CANCELLATIONS, *events[: n + 1]).cancellation for n in range(3)]
        assert [(each.status, each.ends_on) for each in told if each] == [
            ("requested", ENDS_ON),
            ("confirmed", later),
            ("ended", ENDS_ON),
        ]

    def test_a_refusal_stands_beside_the_last_one_until_the_next(self) -> None:
        refused = one(
            CANCELLATIONS, cancelled("1"), withdrawn("1"), not_cancelled("1", "s", "before_next_possible_date")
        )
        assert refused.cancellation is not None
        assert refused.refusal is not None
        assert (refused.cancellation.status, refused.refusal.code) == ("withdrawn", "before_next_possible_date")
        assert one(CANCELLATIONS, not_cancelled("1", "s", "x"), cancelled("1")).refusal is None

    def test_a_decision_about_another_one_is_passed_over(self) -> None:
        other = cancellation_confirmed("1").model_copy(update={"cancellation_id": "k0"})
        told = one(CANCELLATIONS, cancelled("1"), other).cancellation
        assert told is not None
        assert told.status == "requested"


class TestNotices:
    def test_read_before_it_was_posted_by_the_order_of_topics(self) -> None:
        read = NoticeRead(notice_id="n", reader="contact/anna")
        for events in ([noticed("n", "anna"), read, read], [read, noticed("n", "anna")]):
            notice = one(NOTICES, *events)
            assert notice.to == "contact/anna"
            assert notice.read_by == {"contact/anna": NOW}

    def test_for_staff(self) -> None:
        assert one(NOTICES, noticed("n", None, "customer_service")).to == "staff"

    def test_each_reader_reads_it_once(self) -> None:
        read = NoticeRead(notice_id="n", reader="staff/1")
        given_events(NOTICE).when(Read("n", "staff/1")).then(read)
        given_events(NOTICE, read).when(Read("n", "staff/1")).then()
        given_events(NOTICE, read).when(Read("n", "staff/2")).then(NoticeRead(notice_id="n", reader="staff/2"))


class TestUsers:
    def test_waiting_until_assigned(self) -> None:
        assert not one(USERS, registered("u")).waiting
        assert one(USERS, registered("u"), activated("u")).waiting
        assert not one(USERS, registered("u"), activated("u"), assigned("u", "anna")).waiting
        unassigned = UserUnassigned(user_id="u", portal_id="customers", contact_id="anna", reason="x")
        assert one(USERS, registered("u"), activated("u"), assigned("u", "anna"), unassigned).waiting

    def test_erased_in_whatever_order(self) -> None:
        erased = PersonErased(person="user/u", reason="wish")
        for events in ([registered("u"), erased], [erased, registered("u")]):
            user = one(USERS, *events)
            assert (user.email, user.name, user.erased) == (None, None, True)
        assert not folded(USERS, [PersonErased(person="contact/u", reason="x")])

    def test_deleted_only_the_erasure_is_remembered(self) -> None:
        deleted = UserDeleted(user_id="u", portal_id="customers")
        assert not folded(USERS, [registered("u"), deleted])
        erased = PersonErased(person="user/u", reason="wish")
        assert one(USERS, registered("u"), erased, deleted) == UserDoc(user_id="u", erased=True)

    def test_a_sealed_box_says_nothing(self) -> None:
        sealed = registered("u").model_copy(update={"email": BOX, "name": BOX})
        assert (one(USERS, sealed).email, one(USERS, sealed).name) == (None, None)


class TestDefinitions:
    def test_a_withdrawn_journey_keeps_its_title(self) -> None:
        documents = folded(DEFINITIONS, [*PUBLISHED.values(), WITHDRAWN])
        journeys = documents[JOURNEYS].journeys
        assert (journeys["gone"].withdrawn, journeys["cancellation"].withdrawn) == (True, False)
        assert journeys["gone"].title.de == "Journey gone"
        assert not folded(DEFINITIONS, [WITHDRAWN])

    def test_the_last_schema_counts(self) -> None:
        other = SchemaPublished(entity="contract", schema_version=2, definition={"attributes": {"x": {"type": "date"}}})
        shape = one(DEFINITIONS, PUBLISHED["schema/contract"], other).shape
        assert shape is not None
        assert (list(shape.attributes), shape.groups) == (["x"], ())

    @given(RUBBISH)
    def test_whatever_a_schema_holds_it_is_read(self, rubbish: Any) -> None:
        shape = shape_of("contract", CONTRACT_SCHEMA | {"attributes": rubbish, "groups": rubbish, "title": rubbish})
        assert shape.label.de == "Vertrag"


@st.composite
def histories(draw: st.DrawFn) -> list[list[Event]]:
    """Streams of several services about two submissions, each in its order."""
    streams: list[list[Event]] = [[PUBLISHED[name]] for name in ("schema/contract", "journey/cancellation")]
    streams.append([PUBLISHED["journey/gone"], WITHDRAWN][: draw(st.integers(0, 2))])
    for number, contact_id in (("1", "anna"), ("2", "ben")):
        instance, submission = f"p{number}", f"s{number}"
        process = [
            started(instance, number, submission),
            *turn(instance, number, CHECK, None),
            done(instance, number, CHECK),
            *turn(instance, number, PROOF, contact_id),
            *said_done(instance, number, PROOF, contact_id),
            reopened(instance, number, CHECK),
        ]
        billing: list[Event] = draw(
            st.sampled_from(
                [
                    [cancelled(number, submission), cancellation_confirmed(number), terminated(number)],
                    [not_cancelled(number, submission, "x"), cancelled(number)],
                ]
            )
        )
        submissions = [submitted(submission, contact_id, number), FilesDeleted(submission_id=submission, file_ids=())]
        streams += [process[: draw(st.integers(0, len(process)))], billing, submissions[: draw(st.integers(0, 2))]]
        streams.append([draw(st.sampled_from([mapped(submission, number), not_mapped(submission, number, "y")]))])
        streams.append([mailed(submission, failed=True), mailed(submission)][: draw(st.integers(0, 2))])
        streams.append([noticed(f"n{number}", contact_id)])
        streams.append([NoticeRead(notice_id=f"n{number}", reader="contact/anna")][: draw(st.integers(0, 1))])
        users = [registered(number), activated(number), assigned(number, contact_id)]
        streams.append([*users[: draw(st.integers(0, 3))]])
        streams.append([PersonErased(person=f"user/{number}", reason="x")][: draw(st.integers(0, 1))])
    return streams


@st.composite
def interleavings(draw: st.DrawFn) -> tuple[list[Event], list[Event]]:
    """The same streams one after the other, and mixed; within a stream the order stays."""
    streams = draw(histories())
    labels = draw(st.permutations([n for n, events in enumerate(streams) for _ in events]))
    rest = [iter(events) for events in streams]
    return [event for events in streams for event in events], [next(rest[label]) for label in labels]


@given(interleavings(), st.data())
def test_neither_the_order_between_streams_nor_batches_matter(
    orders: tuple[list[Event], list[Event]], data: st.DataObject
) -> None:
    in_order, mixed = orders
    cut = data.draw(st.integers(0, len(mixed)))
    for view in VIEWS:
        documents: dict[str, BaseModel | None] = {}
        for batch in (mixed[:cut], mixed[cut:]):
            envelopes = [enveloped(event) for event in batch if isinstance(event, view.events)]
            stored = {key: _stored(view, document) for key, document in documents.items() if document is not None}
            documents |= view.fold(stored, envelopes)
        left = {key: document for key, document in documents.items() if document is not None}
        assert left == folded(view, in_order), view.name


@given(interleavings())
def test_nothing_personal_of_an_erased_person_is_left(orders: tuple[list[Event], list[Event]]) -> None:
    events = orders[1]
    erased = {event.person for event in events if isinstance(event, PersonErased)}
    for user in folded(USERS, events).values():
        assert not (stream("user", user.user_id) in erased and (user.email or user.name or user.waiting))


def _stored(view: View[D], document: D) -> D:
    return view.document.model_validate_json(document.model_dump_json())


def test_effects_are_counted_from_nought() -> None:
    kinds = [effect.kind for effect in submitted("s", None, "1").effects]
    assert (kinds[MAP], kinds[MAIL]) == ("map", "mail")
