"""A customer follows what he has begun: contract, process, tasks, submissions and files; nobody else does."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import httpx

from contracts.base import Event
from contracts.entities import EntityChanged, EntityRelated
from contracts.ids import stream
from contracts.processes import ProcessCancelled
from tests.services.portal.conftest import Elsewhere, Users
from tests.services.portal.events import TODAY
from tests.services.portal.happenings import (
    CHECK,
    PROOF,
    cancellation_confirmed,
    cancelled,
    done,
    mailed,
    mapped,
    not_cancelled,
    not_mapped,
    of_process,
    said_done,
    skipped,
    started,
    submitted,
    turn,
)
from tests.services.portal.homes import get, ids, move_in, refused, with_task


class TestContractPage:
    async def test_shows_what_the_portal_permits(
        self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
    ) -> None:
        home = await move_in(elsewhere, division="electricity")
        path, headers = f"/contracts/{home.contract_id}", users.customer(home.contact_id)
        page = await get(client, path, headers)
        assert [group["id"] for group in page["groups"]] == ["general", "cancellation", "delivery", "others"]
        general = {each["name"]: each for each in page["groups"][0]["attributes"]}
        assert page["groups"][0]["label"] == {"de": "Generelle Details", "en": "General details"}
        assert general["status"] == {
            "name": "status",
            "label": {"de": "Status", "en": "Status"},
            "type": "choice",
            "value": "active",
            "text": {"de": "Aktiv", "en": "Active"},
            "editable": False,
            "options": [],
        }
        assert general["starts_on"]["value"] == "2024-03-01"
        assert [each["id"] for each in page["actions"]] == ["cancel"]
        assert [each["id"] for each in page["links"]] == ["outage", "order"]
        assert (page["cancellation"], page["processes"], page["documents"]) == (None, [], [])

    async def test_hides_what_it_does_not(self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
        installer = uuid.uuid4().hex
        home = await move_in(elsewhere, installer=installer)
        page = await get(client, f"/contracts/{home.contract_id}", users.installer(installer))
        names = [each["name"] for group in page["groups"] for each in group["attributes"]]
        assert names == ["number", "delivery_street", "delivery_city"]
        shown = page["contract"]
        assert (shown["number"], shown["status"], shown["product"], shown["in_words"]) == ("V-1", None, None, {})
        assert page["delivery"]["city"] == "Lindenau"
        listed = await get(client, "/contracts", users.installer(installer))
        assert [(each["id"], each["status"]) for each in listed["items"]] == [(home.contract_id, None)]
        assert (await get(client, "/contracts", users.installer(home.contact_id)))["items"] == []
        found = await refused(client, f"/contracts/{home.contract_id}", users.installer(home.contact_id))
        assert found == (404, "contract_not_found")

    async def test_follows_a_cancellation(self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
        home = await move_in(elsewhere)
        (submission,) = ids("submission")
        instance = await with_task(home)
        status = EntityChanged(
            entity="contract",
            id=home.contract_id,
            external_id="V-1",
            person=f"contact/{home.contact_id}",
            attributes={"status": "in_cancellation", "ends_on": "2027-01-31"},
            personal={"cancel_reason": "Umzug"},
        )
        await home.happens(
            (stream("submission", submission), [submitted(submission, home.contact_id, home.contract_id)]),
            (stream("cancellation", home.contract_id), [cancelled(home.contract_id, submission)]),
            (stream("contract", home.contract_id), [status]),
        )
        path, headers = f"/contracts/{home.contract_id}", users.customer(home.contact_id)
        page = await get(client, path, headers)
        assert page["contract"]["in_words"]["status"] == {"de": "In Kündigung", "en": "In cancellation"}
        assert page["actions"] == []
        last = page["cancellation"]["last"]
        assert (last["status"], last["ends_on"], last["reason"]) == ("requested", "2027-01-31", "moving")
        ((process,), (document,)) = page["processes"], page["documents"]
        assert (process["instance_id"], process["record"]["title"]) == (instance, "V-1")
        assert [step["id"] for step in process["steps"]] == ["check", "proof", "confirmed"]
        assert (document["file_id"], document["title"]["de"]) == (f"{submission}-0", "Journey cancellation")
        (confirmed,) = await home.happens(
            (stream("cancellation", home.contract_id), [cancellation_confirmed(home.contract_id)])
        )
        last = (await get(client, path, {**headers, "Portico-Position": str(confirmed)}))["cancellation"]["last"]
        assert (last["status"], last["decided_at"]) == ("confirmed", "2026-11-10T09:30:00Z")

    async def test_of_a_cancellation_only_what_is_permitted(
        self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
    ) -> None:
        installer = uuid.uuid4().hex
        home = await move_in(elsewhere, installer=installer)
        requested: list[Event] = [cancelled(home.contract_id), not_cancelled(home.contract_id, "s", "not_known_here")]
        await home.happens((stream("cancellation", home.contract_id), requested))
        shown = (await get(client, f"/contracts/{home.contract_id}", users.installer(installer)))["cancellation"]
        assert (shown["last"]["status"], shown["last"]["ends_on"], shown["last"]["reason"]) == ("requested", None, None)
        assert shown["refusal"]["text"]["de"].startswith("Wir kümmern uns")


class TestProcesses:
    async def test_one_line_of_steps_for_the_reader(
        self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
    ) -> None:
        home = await move_in(elsewhere)
        instance = await with_task(home)
        headers = users.customer(home.contact_id)
        process = await get(client, f"/processes/{instance}", headers)
        assert (process["status"], process["title"]["de"]) == ("open", "Kündigung")
        keys = ("id", "status", "is_active", "is_certain", "is_mine")
        assert [tuple(step[key] for key in keys) for step in process["steps"]] == [
            ("check", "done", False, True, False),
            ("proof", "active", True, True, True),
            ("confirmed", "pending", False, True, False),
        ]
        assert process["steps"][1]["info"] == {"de": "Info proof", "en": "Info proof (en)"}
        events = [*said_done(instance, home.contract_id, PROOF, home.contact_id)]
        await home.happens(
            (stream("process", instance), [*events, *turn(instance, home.contract_id, "internal", None)])
        )
        later = await get(client, f"/processes/{instance}", headers)
        assert [(step["id"], step["is_active"]) for step in later["steps"]][1:] == [
            ("proof", False),
            ("confirmed", True),
        ]
        assert later["steps"][2]["status"] == "pending"

    async def test_a_step_that_depends_is_not_certain_and_one_left_out_not_shown(
        self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
    ) -> None:
        home = await move_in(elsewhere)
        (instance,) = ids("instance")
        name, contract = stream("process", instance), home.contract_id
        await home.happens((name, [started(instance, contract), *turn(instance, contract, CHECK, None)]))
        headers = users.customer(home.contact_id)
        steps = (await get(client, f"/processes/{instance}", headers))["steps"]
        assert [(step["id"], step["is_certain"]) for step in steps] == [
            ("check", True),
            ("proof", False),
            ("confirmed", True),
        ]
        await home.happens((name, [done(instance, contract, CHECK), skipped(instance, contract, PROOF, None)]))
        steps = (await get(client, f"/processes/{instance}", headers))["steps"]
        assert [step["id"] for step in steps] == ["check", "confirmed"]
        everything = await get(client, f"/processes/{instance}", users.role("staff"))
        assert [step["id"] for step in everything["steps"]] == ["check", "proof", "internal", "confirmed"]

    async def test_listed_newest_first_by_record(
        self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
    ) -> None:
        home = await move_in(elsewhere)
        instances = {await with_task(home) for _ in range(3)}
        headers, seen, cursor = users.customer(home.contact_id), [], {}
        for _ in range(4):
            page = await get(client, "/processes", headers, limit=2, **cursor)
            seen += [each["instance_id"] for each in page["items"]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert (len(seen), set(seen)) == (3, instances)
        stopped = min(instances)
        ended = ProcessCancelled(**of_process(stopped, home.contract_id), reason="x", submission_id=None)
        await home.happens((stream("process", stopped), [ended]))
        for status, count in (("open", 2), ("over", 1)):
            assert len((await get(client, "/processes", headers, status=status))["items"]) == count
        nothing = await get(client, "/processes", headers, record_id="elsewhere")
        assert nothing["items"] == []
        for contract, found in ((home.contract_id, 3), ("elsewhere", 0)):
            by_staff = await get(client, "/processes", users.role("staff"), record_id=contract)
            assert len(by_staff["items"]) == found

    async def test_they_go_with_the_contract(
        self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
    ) -> None:
        home, buyer = await move_in(elsewhere), await move_in(elsewhere)
        (instance,) = ids("instance")
        first: list[Event] = [
            started(instance, home.contract_id),
            *turn(instance, home.contract_id, CHECK, None),
        ]
        sold = EntityRelated(entity="contract", id=home.contract_id, relation="holder", to=(buyer.contact_id,))
        await home.happens((stream("process", instance), first), (stream("contract", home.contract_id), [sold]))
        path = f"/processes/{instance}"
        assert (await get(client, path, users.customer(buyer.contact_id)))["instance_id"] == instance
        assert await refused(client, path, users.customer(home.contact_id)) == (404, "process_not_found")
        assert (await get(client, "/processes", users.customer(home.contact_id)))["items"] == []


class TestTasks:
    async def test_open_ones_first_then_what_is_over(
        self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
    ) -> None:
        home = await move_in(elsewhere)
        finished, waiting, stopped = [await with_task(home) for _ in range(3)]
        by_him = said_done(finished, home.contract_id, PROOF, home.contact_id)
        ended = ProcessCancelled(**of_process(stopped, home.contract_id), reason="x", submission_id=None)
        await home.happens((stream("process", finished), by_him), (stream("process", stopped), [ended]))
        headers, seen, cursor = users.customer(home.contact_id), [], {}
        for _ in range(4):
            page = await get(client, "/tasks", headers, limit=1, **cursor)
            seen += [(each["instance_id"], each["status"]) for each in page["items"]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert seen[0] == (waiting, "open")
        assert set(seen[1:]) == {(finished, "done"), (stopped, "withdrawn")}
        one = await get(client, "/tasks", headers, status="open")
        assert [each["instance_id"] for each in one["items"]] == [waiting]
        over = await get(client, "/tasks", headers, status="over")
        assert {each["instance_id"] for each in over["items"]} == {finished, stopped}
        assert (await get(client, "/me", headers))["open_tasks"] == 1

    async def test_a_task_with_its_process(self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
        home, neighbour = await move_in(elsewhere), await move_in(elsewhere)
        instance = await with_task(home, due_on=TODAY - timedelta(days=1))
        path = f"/tasks/{instance}/{PROOF}"
        found = await get(client, path, users.customer(home.contact_id))
        task = found["task"]
        assert (task["journey_id"], task["done_on"], task["due_on"]) == ("upload_proof", "confirm", "2026-11-09")
        assert (task["overdue"], task["record"]["title"]) == (True, "V-1")
        assert task["info"]["de"] == "Info proof"
        assert [step["is_mine"] for step in found["process"]["steps"]] == [False, True, False]
        for somebody in (users.customer(neighbour.contact_id), users.installer(neighbour.contact_id)):
            assert await refused(client, path, somebody) == (404, "task_not_found")
        not_his = await refused(client, f"/tasks/{instance}/{CHECK}", users.customer(home.contact_id))
        assert not_his == (404, "task_not_found")

    async def test_an_installers_task(self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
        home, (installer,) = await move_in(elsewhere), ids("installer")
        instance = await with_task(home, contact_id=installer, role="installer")
        headers = users.installer(installer)
        (task,) = (await get(client, "/tasks", headers))["items"]
        assert (task["instance_id"], task["info"]["de"]) == (instance, "Fach proof")
        process = await get(client, f"/processes/{instance}", headers)
        assert [step["id"] for step in process["steps"]] == ["proof", "confirmed"]
        assert (await get(client, "/tasks", users.customer(home.contact_id)))["items"] == []
        assert await refused(client, f"/contracts/{home.contract_id}", headers) == (404, "contract_not_found")


class TestRequests:
    async def test_what_became_of_each_part(
        self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
    ) -> None:
        home, (submission, instance) = await move_in(elsewhere), ids("submission", "instance")
        contract, headers = home.contract_id, users.customer(home.contact_id)
        await home.happens((stream("submission", submission), [submitted(submission, home.contact_id, contract)]))
        request = await get(client, f"/requests/{submission}", headers)
        assert (request["status"], request["title"]["en"]) == ("under_way", "The journey cancellation")
        assert {effect["status"] for effect in request["effects"]} == {"under_way"}
        await home.happens(
            (stream("contract", contract), [mapped(submission, contract)]),
            (stream("cancellation", contract), [cancelled(contract, submission)]),
            (stream("process", instance), [started(instance, contract, submission)]),
            (stream("message", submission), [mailed(submission)]),
        )
        (request,) = (await get(client, "/requests", headers))["items"]
        assert request["status"] == "done"
        assert [effect["text"]["de"] for effect in request["effects"]] == [
            "Ihre Angaben sind gespeichert.",
            "Ihre Kündigung zum 31.01.2027 ist eingegangen.",
            "„Kündigung“ hat begonnen.",
            "Eine Bestätigung wurde verschickt.",
        ]
        assert request["effects"][2]["text"]["en"] == "“Kündigung (en)” has begun."
        assert request["effects"][2]["instance_id"] == instance

    async def test_what_failed_is_told_in_words(
        self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
    ) -> None:
        home, (submission,) = await move_in(elsewhere), ids("submission")
        contract = home.contract_id
        await home.happens(
            (stream("submission", submission), [submitted(submission, home.contact_id, contract)]),
            (stream("contract", contract), [not_mapped(submission, contract, "invalid_choice")]),
            (stream("cancellation", contract), [not_cancelled(contract, submission, "contract_not_active")]),
            (stream("message", submission), [mailed(submission, failed=True)]),
        )
        before = (await get(client, "/staff/overview", users.role("staff")))["failures"]
        assert before >= 1
        request = await get(client, f"/requests/{submission}", users.customer(home.contact_id))
        assert (request["status"], request["effects"][1]["code"]) == ("failed", "contract_not_active")
        for effect in request["effects"]:
            for words in effect["text"].values():
                assert words.endswith(".")
                assert "_" not in words

    async def test_staff_find_what_failed_and_whose_it_is(
        self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users
    ) -> None:
        home, (older, newer, fine) = await move_in(elsewhere), ids("older", "newer", "fine")
        contract = home.contract_id
        for each in (older, newer, fine):
            await home.happens((stream("submission", each), [submitted(each, home.contact_id, contract)]))
            await home.happens((stream("message", each), [mailed(each, failed=each != fine)]))
        staff = users.role("staff")
        found, path = dict[str, Any](), "/staff/failures?limit=1"
        while path:
            page = await get(client, path, staff)
            found |= {item["submission_id"]: item for item in page["items"]}
            path = f"/staff/failures?limit=1&cursor={page['next']}" if page["next"] else ""
        assert {older, newer} <= found.keys()
        assert fine not in found
        assert (found[newer]["contact_id"], found[newer]["status"]) == (home.contact_id, "failed")
        assert await refused(client, "/staff/failures", users.customer(home.contact_id)) == (403, "forbidden")

    async def test_only_the_contacts_own(self, client: httpx.AsyncClient, elsewhere: Elsewhere, users: Users) -> None:
        home, neighbour = await move_in(elsewhere), await move_in(elsewhere)
        (mine, public) = ids("mine", "public")
        await home.happens(
            (stream("submission", mine), [submitted(mine, home.contact_id, home.contract_id, files=2)]),
            (stream("submission", public), [submitted(public, None, home.contract_id)]),
        )
        headers = users.customer(home.contact_id)
        assert [each["submission_id"] for each in (await get(client, "/requests", headers))["items"]] == [mine]
        files = (await get(client, "/documents", headers))["items"]
        assert [each["file_id"] for each in files] == [f"{mine}-0", f"{mine}-1"]
        assert (await get(client, "/documents", headers, record_id="elsewhere"))["items"] == []
        assert await refused(client, f"/requests/{public}", headers) == (404, "request_not_found")
        others = users.customer(neighbour.contact_id)
        assert await refused(client, f"/requests/{mine}", others) == (404, "request_not_found")
        assert (await get(client, "/documents", others))["items"] == []
        assert (await get(client, f"/requests/{public}", users.role("staff")))["submission_id"] == public
