"""Processes over HTTP and topics: defined, started, gone through by staff and customers, and never twice."""

import uuid

from chassis.testing import eventually
from chassis.views import ViewReader
from contracts.entities import EntityChanged
from contracts.identity import PersonErased
from contracts.ids import record_id, stream
from contracts.journeys import MapEffect, StartProcessEffect, TaskRef
from contracts.processes import ProcessNotStarted, ProcessStarted, StepOverdue
from services.processes.known.views import RECORDS, SUBMISSIONS
from tests.services.processes.conftest import Processes, contract_of
from tests.services.processes.plans import DOCUMENT

CHECK, PROOF, DECIDE = "check", "proof", "decide"


async def test_a_definition_is_written_read_and_told_what_is_wrong(processes: Processes) -> None:
    process = await processes.define()
    written = {**DOCUMENT, "process": process}
    first = await processes.ask("operator", "GET", f"/definitions/{process}")
    assert (first.json(), first.headers["ETag"]) == (written, '"1"')
    again = await processes.ask("staff", "PUT", f"/definitions/{process}", json=written)
    assert (again.status_code, again.headers["ETag"]) == (200, '"1"')
    second = await processes.ask(
        "staff", "PUT", f"/definitions/{process}", json={**written, "steps": DOCUMENT["steps"][:1]}
    )
    assert second.headers["ETag"] == '"2"'
    listed = await processes.ask("staff", "GET", "/definitions", position=second.headers["Portico-Position"])
    assert {item["process"]: len(item["steps"]) for item in listed.json()["items"]}[process] == 1
    stale = await processes.ask("staff", "PUT", f"/definitions/{process}", json=written, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    wrong = {**written, "steps": [{**DOCUMENT["steps"][0], "assign": "postman"}]}
    for language, word in (("de", "muss"), ("en", "must")):
        refused = await processes.ask(
            "staff", "PUT", f"/definitions/{process}", json=wrong, headers={"Accept-Language": language}
        )
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_document")
        assert refused.json()["mistakes"][0]["path"] == "steps.0.assign"
        assert word in refused.json()["mistakes"][0]["detail"]
    assert (await processes.ask("customer", "GET", "/definitions", "anna")).status_code == 403
    assert (await processes.ask("staff", "GET", "/definitions/nothing")).status_code == 404


async def test_versions_stay_readable_and_a_document_can_be_tried(processes: Processes) -> None:
    process = await processes.define()
    shorter = {**DOCUMENT, "process": process, "steps": DOCUMENT["steps"][:1]}
    plan = await processes.ask("staff", "POST", f"/definitions/{process}/plan", json=shorter)
    assert [(step["id"], step["shown_to"]) for step in plan.json()["steps"]] == [(CHECK, ["customer"])]
    versions = await processes.ask("staff", "GET", f"/definitions/{process}/versions")
    assert [each["version"] for each in versions.json()] == [1]
    await processes.ask("staff", "PUT", f"/definitions/{process}", json=shorter)
    versions = await processes.ask("staff", "GET", f"/definitions/{process}/versions")
    assert [each["version"] for each in versions.json()] == [2, 1]
    old = await processes.ask("staff", "GET", f"/definitions/{process}?version=1")
    assert old.json() == {**DOCUMENT, "process": process}
    assert (await processes.ask("staff", "GET", f"/definitions/{process}?version=3")).status_code == 404
    wrong = await processes.ask("staff", "POST", f"/definitions/{process}/plan", json={**shorter, "on": 1})
    assert (wrong.status_code, wrong.json()["mistakes"][0]["path"]) == (422, "on")
    assert (await processes.ask("customer", "POST", f"/definitions/{process}/plan", json=shorter)).status_code == 403


async def test_the_story_of_a_process(processes: Processes) -> None:
    process = await processes.define()
    anna, contract = await processes.contract(cancel_reason="moving")
    await processes.submit(
        anna, StartProcessEffect(process=process, record=contract_of(contract)), submission_id="s-story"
    )
    (instance,) = await processes.of_record(contract)
    id_ = instance["id"]
    assert id_ == record_id("process", "s-story/0")
    assert (instance["contact_id"], instance["portal_id"], instance["active"]["plan"]["id"]) == (
        anna,
        "customers",
        CHECK,
    )
    assert (await processes.ask("customer", "GET", "/tasks", anna)).json()["items"] == []
    assert [
        item["instance_id"]
        for item in (await processes.ask("staff", "GET", "/tasks?group=customer_service")).json()["items"]
    ].count(id_) == 1

    checked = await processes.ask("staff", "POST", f"/instances/{id_}/steps/{CHECK}/complete")
    assert checked.json() == {"instance_id": id_, "status": "open", "active_step": PROOF}
    position = checked.headers["Portico-Position"]
    (task,) = (await processes.ask("customer", "GET", "/tasks", anna, position)).json()["items"]
    assert (task["step_id"], task["journey"], task["due_on"], task["overdue"]) == (
        PROOF,
        "upload_proof",
        "2026-12-06",
        False,
    )
    assert task["info"] == {"de": "Bitte laden Sie ihn hoch.", "en": "Please upload it."}

    shown = (await processes.ask("customer", "GET", f"/progress/{id_}", anna)).json()
    assert [(step["id"], step["status"], step["yours"]) for step in shown["steps"]] == [
        (CHECK, "done", False),
        (PROOF, "active", True),
        ("confirmed", "pending", False),
    ]
    await processes.submit(anna, task=TaskRef(instance_id=id_, step_id=PROOF))

    async def noted() -> bool:
        return bool((await processes.ask("customer", "GET", f"/tasks/{id_}/{PROOF}", anna)).json()["submitted"])

    await eventually(noted)
    done = await processes.ask("customer", "POST", f"/tasks/{id_}/{PROOF}/done", anna)
    assert done.json() == {"instance_id": id_, "step_id": PROOF}
    gone = await processes.ask("customer", "GET", f"/tasks/{id_}/{PROOF}", anna, done.headers["Portico-Position"])
    assert gone.status_code == 404
    again = await processes.ask("customer", "POST", f"/tasks/{id_}/{PROOF}/done", anna)
    assert (again.status_code, again.json()["code"]) == (409, "task_not_open")

    last = await processes.ask("staff", "POST", f"/instances/{id_}/steps/{DECIDE}/complete")
    assert last.json() == {"instance_id": id_, "status": "completed", "active_step": None}
    whole = (await processes.ask("staff", "GET", f"/instances/{id_}", position=last.headers["Portico-Position"])).json()
    assert (whole["status"], whole["active"], whole["steps"][0]["by"]) == ("completed", None, "staff/1")
    assert {step["status"] for step in whole["steps"]} == {"done"}


async def test_nothing_is_anybody_elses_business(processes: Processes) -> None:
    process = await processes.define()
    anna, contract = await processes.contract(cancel_reason="moving")
    ben, _ = await processes.contract()
    id_ = await processes.start(process, contract)
    answered = await processes.ask("staff", "POST", f"/instances/{id_}/steps/{CHECK}/complete")
    position = answered.headers["Portico-Position"]
    paths = (("GET", f"/tasks/{id_}/{PROOF}"), ("POST", f"/tasks/{id_}/{PROOF}/done"), ("GET", f"/progress/{id_}"))
    for method, path in paths:
        foreign = await processes.ask("customer", method, path, ben, position)
        unknown = await processes.ask("customer", method, path.replace(id_, str(uuid.uuid4())), ben)
        assert (foreign.status_code, unknown.status_code) == (404, 404)
        assert foreign.json()["code"] == unknown.json()["code"]
        assert foreign.json()["detail"] == unknown.json()["detail"]
    assert (await processes.ask("customer", "GET", f"/tasks?contact={anna}", ben)).json()["items"] == []
    for method, path in (
        ("GET", "/instances"),
        ("GET", f"/instances/{id_}"),
        ("POST", f"/instances/{id_}/steps/{PROOF}/complete"),
    ):
        assert (await processes.ask("customer", method, path, anna)).status_code == 403


async def test_the_same_submission_starts_once_and_a_refusal_is_told(processes: Processes) -> None:
    process = await processes.define()
    anna, contract = await processes.contract()
    effects = [
        StartProcessEffect(process=process, record=contract_of(contract)),
        StartProcessEffect(process="no_such_process", record=contract_of(contract)),
        StartProcessEffect(process=process, record=contract_of(contract)),
    ]
    records = await processes.submit(anna, *effects, submission_id=(id_ := str(uuid.uuid4())))
    await processes.publish(records)
    await processes.submit(anna, *effects[:1], submission_id=id_)
    assert len(await processes.of_record(contract, 2)) == 2
    await processes.submit(anna, StartProcessEffect(process=process, record=contract_of(contract)))
    assert len(await processes.of_record(contract, 3)) == 3
    streams = processes.running.service.streams
    (refused,) = await streams.history(stream("process", record_id("process", f"{id_}/1")))
    assert isinstance(refused.event, ProcessNotStarted)
    assert (refused.event.code, refused.event.submission_id, refused.event.effect) == ("process_not_found", id_, 1)
    assert refused.metadata.causation_id == str(records[0].position)


async def test_what_a_submission_maps_counts_at_once_and_its_answers_later(processes: Processes) -> None:
    steps = [
        {**DOCUMENT["steps"][0], "id": "moving", "when": [{"contract.cancel_reason": {"is": "moving"}}]},
        {**DOCUMENT["steps"][0], "id": "answered", "when": [{"answers.reason": {"is": "price"}}]},
        {**DOCUMENT["steps"][0], "id": "elsewhere", "when": [{"submission.portal": {"is": "installers"}}]},
    ]
    process = await processes.define(steps=steps)
    anna, contract = await processes.contract(cancel_reason="price")
    record = contract_of(contract)
    await processes.submit(
        anna,
        MapEffect(record=record, attributes=("cancel_reason",)),
        StartProcessEffect(process=process, record=record),
        answers={"reason": "price"},
        mapped={"0": {"cancel_reason": "moving"}},
    )
    (instance,) = await processes.of_record(contract)
    assert instance["active"]["plan"]["id"] == "moving"
    after = await processes.ask("staff", "POST", f"/instances/{instance['id']}/steps/moving/complete")
    assert after.json()["active_step"] == "answered"
    after = await processes.ask("staff", "POST", f"/instances/{instance['id']}/steps/answered/complete")
    assert after.json()["status"] == "completed"


async def test_what_the_submission_of_a_task_maps_counts_for_the_next_step(processes: Processes) -> None:
    """The record itself is changed by another service, later than the step after the task has its turn."""
    task = {**DOCUMENT["steps"][1], "id": "task", "done_on": "submit", "when": []}
    after = {**DOCUMENT["steps"][0], "id": "after", "when": [{"contract.cancel_reason": {"is": "moving"}}]}
    process = await processes.define(steps=[task, after])
    anna, contract = await processes.contract(cancel_reason="price")
    id_ = await processes.start(process, contract)
    await processes.submit(
        anna,
        MapEffect(record=contract_of(contract), attributes=("cancel_reason",)),
        task=TaskRef(instance_id=id_, step_id="task"),
        mapped={"0": {"cancel_reason": "moving"}},
    )

    async def went_on() -> bool:
        (instance,) = await processes.of_record(contract)
        return bool(instance["steps"][0]["status"] == "done")

    await eventually(went_on)
    (instance,) = await processes.of_record(contract)
    assert (instance["status"], instance["active"]["plan"]["id"]) == ("open", "after")


async def test_staff_skip_reopen_assign_and_cancel(processes: Processes) -> None:
    process = await processes.define()
    anna, contract = await processes.contract(cancel_reason="price")
    ben, _ = await processes.contract()
    id_ = await processes.start(process, contract)
    base = f"/instances/{id_}/steps"
    assert (await processes.ask("staff", "POST", f"{base}/{CHECK}/skip", json={})).status_code == 422
    skipped = await processes.ask("staff", "POST", f"{base}/{CHECK}/skip", json={"reason": "known"})
    assert skipped.json()["active_step"] == DECIDE
    reopened = await processes.ask("staff", "POST", f"{base}/{PROOF}/reopen", json={"reason": "needed after all"})
    assert reopened.json()["active_step"] == PROOF
    to_ben = {"assignee": {"kind": "contact", "role": "customer", "contact_id": ben}}
    unknown = {"assignee": {"kind": "contact", "role": "customer", "contact_id": "nobody"}}
    assert (await processes.ask("staff", "POST", f"{base}/{PROOF}/assignee", json=unknown)).json()[
        "code"
    ] == "invalid_contact"
    given = await processes.ask("staff", "POST", f"{base}/{PROOF}/assignee", json=to_ben)
    position = given.headers["Portico-Position"]
    assert (await processes.ask("customer", "GET", "/tasks", anna, position)).json()["items"] == []
    (task,) = (await processes.ask("customer", "GET", "/tasks", ben, position)).json()["items"]
    assert task["instance_id"] == id_
    ended = await processes.ask("staff", "POST", f"/instances/{id_}/cancel", json={"reason": "stays"})
    assert ended.json()["status"] == "cancelled"
    found = await processes.ask(
        "staff", "GET", f"/instances?record={contract}&status=cancelled", position=ended.headers["Portico-Position"]
    )
    assert [(item["id"], item["reason"]) for item in found.json()["items"]] == [(id_, "stays")]
    late = await processes.ask("staff", "POST", f"{base}/{PROOF}/complete")
    assert (late.status_code, late.json()["code"]) == (409, "process_not_open")


async def test_who_is_late_is_reminded_once(processes: Processes) -> None:
    process = await processes.define()
    _, contract = await processes.contract(cancel_reason="moving")
    id_ = await processes.start(process, contract)
    await processes.ask("staff", "POST", f"/instances/{id_}/steps/{CHECK}/complete")
    for day in ("2026-12-07T06:59:00Z", "2026-12-07T07:00:00Z", "2026-12-08T07:00:00Z"):
        answered = await processes.ask("operator", "POST", "/development/timers", json={"as_of": day})
        assert answered.status_code == 200, answered.text
        history = await processes.running.service.streams.history(stream("process", id_))
        reminded = [each.event.step_id for each in history if isinstance(each.event, StepOverdue)]
        assert reminded == ([] if day.endswith("06:59:00Z") else [PROOF])


async def test_what_has_begun_goes_on_with_its_version(processes: Processes) -> None:
    process = await processes.define()
    _, contract = await processes.contract()
    id_ = await processes.start(process, contract)
    shorter = {**DOCUMENT, "process": process, "steps": DOCUMENT["steps"][:1]}
    await processes.ask("staff", "PUT", f"/definitions/{process}", json=shorter)
    after = await processes.ask("staff", "POST", f"/instances/{id_}/steps/{CHECK}/complete")
    assert after.json()["active_step"] == DECIDE
    newer = await processes.start(process, contract)
    after = await processes.ask("staff", "POST", f"/instances/{newer}/steps/{CHECK}/complete")
    assert after.json()["status"] == "completed"


async def test_an_idempotency_key_starts_one_process(processes: Processes) -> None:
    process = await processes.define()
    _, contract = await processes.contract()
    await processes.start(process, contract)
    body = {"process": process, "record": {"entity": "contract", "id": contract}}
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    answers = [await processes.ask("staff", "POST", "/instances", json=body, headers=headers) for _ in range(2)]
    assert [answered.status_code for answered in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    wrong = {"process": process, "record": {"entity": "contact", "id": contract}}
    assert (await processes.ask("staff", "POST", "/instances", json=wrong)).status_code == 404


async def test_processes_that_start_themselves_come_to_an_end(processes: Processes) -> None:
    process = await processes.define()
    _, contract = await processes.contract()
    step = {"id": "again", "title": {"de": "Noch einmal", "en": "Again"}}
    looping = {
        "process": process,
        "on": "contract",
        "steps": [{**step, "automation": [{"start_process": {"process": process}}]}],
    }
    assert (await processes.ask("staff", "PUT", f"/definitions/{process}", json=looping)).status_code == 200
    first = await processes.start(process, contract)
    found = await processes.of_record(contract, 11)
    assert {item["status"] for item in found} == {"completed"}
    streams = processes.running.service.streams

    async def ended() -> int:
        log = processes.running.service.log
        types = [record.type for shard in range(4) for record in await log.read(shard, 0, 1_000)]
        return types.count("portico.processes.ProcessNotStarted.v1")

    assert await eventually(ended)
    history = await streams.history(
        stream("process", next(item["id"] for item in found if item["started_by"] == first))
    )
    assert isinstance(history[0].event, ProcessStarted)
    assert history[0].event.depth == 1
    assert len(await processes.of_record(contract)) == 11


async def test_nothing_is_kept_of_an_erased_person(processes: Processes) -> None:
    process = await processes.define()
    anna, contract = await processes.contract(cancel_reason="moving")
    await processes.submit(
        anna,
        StartProcessEffect(process=process, record=contract_of(contract)),
        submission_id=(id_ := str(uuid.uuid4())),
    )
    await processes.of_record(contract)
    pool = processes.running.service.pool
    await processes.say(stream("person", anna), PersonErased(person=stream("contact", anna), reason="asked for"))

    async def forgotten() -> bool:
        record = await ViewReader(RECORDS, pool).get(stream("contract", contract))
        submission = await ViewReader(SUBMISSIONS, pool).get(id_)
        return bool(record and submission and record.erased and submission.erased) and not (
            record.personal or submission.personal
        )

    await eventually(forgotten)
    change = EntityChanged(
        entity="contract",
        id=contract,
        external_id=contract,
        person=stream("contact", anna),
        attributes={"status": "terminated"},
        personal={},
    )
    await processes.say(stream("contract", contract), change)

    async def followed() -> bool:
        record = await ViewReader(RECORDS, pool).get(stream("contract", contract))
        return record is not None and record.attributes["status"] == "terminated" and not record.personal

    await eventually(followed)
