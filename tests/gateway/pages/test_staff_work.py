"""Staff at work: overview, contracts, tasks and processes, imports, history, what failed."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from io import StringIO
from typing import Any

import httpx
import pytest

from tests.gateway.pages.customer_data import both, details, effect, notice, page, process, request
from tests.gateway.pages.staff_data import BEN, CONTRACT, INSTANCE, MARIA, desk, entry, instance
from tests.gateway.world import STAFF, Browser, World, member, soup, visiting, words

PLACE = f"/contracts/{CONTRACT}"
PROCESS = f"/processes/{INSTANCE}"
STEP = f"{PROCESS}/steps/confirm"
API_STEP = f"/instances/{INSTANCE}/steps/confirm"
CANCELLATION = {
    "last": {
        "cancellation_id": "k-1",
        "status": "requested",
        "requested_on": "2026-11-20",
        "ends_on": "2026-12-31",
        "basis": "open_ended",
        "notice": "P1M",
        "reason": None,
        "decided_at": None,
    },
    "refusal": None,
}


@pytest.fixture
def world() -> World:
    return desk()


@pytest.fixture
async def clerk(world: World) -> AsyncIterator[Browser]:
    async with visiting(world, STAFF, member()) as browser:
        yield browser


def links(response: httpx.Response) -> set[str]:
    return {str(link["href"]) for link in soup(response).select("main a")}


class TestOverview:
    async def test_figures_lead_to_what_they_count(self, world: World, clerk: Browser) -> None:
        response = await clerk.get("/")
        for counter, figure in (("user", "3"), ("task", "12"), ("failure", "1")):
            (link,) = [each for each in soup(response).select(".counter a") if counter in str(each["href"]).lower()][:1]
            assert figure in link.get_text()
        assert {"/users?assignment=pending&registration=registered", "/tasks", "/failures"} <= links(response)
        groups = [call.query.get("group") for call in world.calls_to("GET", "processes", "/tasks")]
        assert "customer_service" in groups
        assert "Kündigung wird bestätigt" in words(response)

    async def test_tasks_that_cannot_be_asked_for_are_not_counted(self, world: World, clerk: Browser) -> None:
        world.away |= {"processes"}
        (figure,) = soup(await clerk.get("/")).select(".counter a[href='/tasks'] strong")
        assert figure.get_text() == "–"

    async def test_a_service_that_is_away_leaves_the_rest(self, world: World, clerk: Browser) -> None:
        world.away |= {"portal"}
        response = await clerk.get("/")
        assert response.status_code == 200
        assert "Gerade nicht erreichbar" in words(response)
        assert "Kündigung wird bestätigt" in words(response)

    async def test_what_somebody_may_not_see_is_left_out(self, world: World, clerk: Browser) -> None:
        for path in ("/staff/overview", "/notices", "/staff/failures"):
            world.refuse("GET", "portal", path, 403, "forbidden")
        response = await clerk.get("/")
        assert response.status_code == 200
        assert "/failures" not in links(response)

    async def test_a_notice_is_read(self, world: World, clerk: Browser) -> None:
        world.answer("GET", "portal", "/notices", page({**notice("n-1"), "group": "customer_service"}))
        assert soup(await clerk.get("/")).select("form[action='/notices/n-1/read']")
        assert "V-1003 · Ben Krüger" in words(await clerk.get("/")).replace("\xa0", " ")
        world.answer("POST", "portal", "/notices/n-1/read", status=204)
        assert (await clerk.post("/notices/n-1/read")).status_code == 303


class TestContracts:
    async def test_the_list_names_holders_with_one_question(self, world: World, clerk: Browser) -> None:
        response = await clerk.get("/contracts?is-status=in_cancellation")
        for word in ("V-1003", "In Kündigung", "Erdgas Komfort", "Ben Krüger"):
            assert word in words(response)
        (asked,) = world.calls_to("GET", "entities", "/records/contact")
        assert asked.query["ids"] == BEN

    async def test_a_contract_with_what_belongs_to_it(self, world: World, clerk: Browser) -> None:
        response = await clerk.get(PLACE)
        for word in ("Vertrag V-1003", "1 Monat", "Ben Krüger", "142,00", "Kündigung", "Maria Kern"):
            assert word in words(response).replace("\xa0", " ")
        assert {f"/contacts/{BEN}", PROCESS, f"/events/contract/{CONTRACT}"} <= links(response)

    @pytest.mark.parametrize(
        ("amount_cents", "overdue_cents", "figures"),
        [
            (-2_150, 350, [("Guthaben", "21,50 €", "positive"), ("Überfällig", "3,50 €", "critical")]),
            (14_200, 0, [("Saldo", "142,00 €", "")]),
        ],
    )
    async def test_a_credit_is_no_alarm(
        self,
        world: World,
        clerk: Browser,
        amount_cents: int,
        overdue_cents: int,
        figures: list[tuple[str, str, str]],
    ) -> None:
        known = {**details()["balance"], "amount_cents": amount_cents, "overdue_cents": overdue_cents}
        world.answer("GET", "portal", f"/contracts/{CONTRACT}", details(balance=known))
        shown = soup(await clerk.get(PLACE)).select(".figure")[: len(figures)]
        said = [each.get_text(" ").replace("\xa0", " ").split(maxsplit=1) for each in shown]
        assert said == [[label, value] for label, value, _ in figures]
        for figure, (_, _, kind) in zip(shown, figures, strict=True):
            assert ("figure-critical" in figure["class"]) == (kind == "critical")

    async def test_a_period_is_written_and_read_back_in_words(self, world: World, clerk: Browser) -> None:
        path = f"/records/contract/{CONTRACT}"
        world.answer("PATCH", "entities", path, {"id": CONTRACT, "effect": "updated", "version": 4})
        form = soup(await clerk.get(f"{PLACE}/edit"))
        assert form.select("input[name=v-notice][value='1 Monat']")
        await clerk.post(f"{PLACE}/edit", {"seen": "3", "v-notice": "1 Monat"})
        assert not world.calls_to("PATCH", "entities", path)
        await clerk.post(f"{PLACE}/edit", {"seen": "3", "v-notice": "6 Wochen"})
        assert world.calls_to("PATCH", "entities", path)[0].body == {"notice": "6 Wochen"}
        assert "Das legt die Abrechnung fest." in words(await clerk.get(f"{PLACE}/edit"))

    async def test_money_that_cannot_be_shown_leaves_the_rest(self, world: World, clerk: Browser) -> None:
        world.refuse("GET", "portal", f"/contracts/{CONTRACT}", 403, "forbidden")
        assert (await clerk.get(PLACE)).status_code == 200
        world.away |= {"portal"}
        response = await clerk.get(PLACE)
        assert "Gerade nicht erreichbar" in words(response)
        assert "Erdgas Komfort" in words(response)

    @pytest.mark.parametrize(("what", "body"), [("confirm", None), ("withdraw", {"reason": "bleibt"})])
    async def test_a_cancellation_is_decided(self, world: World, clerk: Browser, what: str, body: Any) -> None:
        world.answer("GET", "portal", f"/contracts/{CONTRACT}", details(cancellation=CANCELLATION))
        assert soup(await clerk.get(PLACE)).select(f"input[name=what][value={what}]")
        path = f"/contracts/{CONTRACT}/cancellations/k-1/{what}"
        world.answer("POST", "billing", path, {})
        fields = {"what": what, "cancellation": "k-1", "reason": "bleibt"}
        assert (await clerk.post(f"{PLACE}/cancellation", fields)).headers["Location"] == PLACE
        assert world.calls_to("POST", "billing", path)[0].body == body
        assert (await clerk.post(f"{PLACE}/cancellation", {**fields, "what": "dance"})).status_code == 404

    async def test_a_refused_decision_is_told(self, world: World, clerk: Browser) -> None:
        world.refuse("POST", "billing", f"/contracts/{CONTRACT}/cancellations/k-1/confirm", 409, "contract_ended")
        response = await clerk.post(f"{PLACE}/cancellation", {"what": "confirm", "cancellation": "k-1"})
        assert response.status_code == 409
        assert "Sentence of contract_ended." in words(response)

    async def test_as_its_customer_sees_it(self, world: World, clerk: Browser) -> None:
        notice = {"name": "notice", "label": both("Frist", "Notice"), "type": "period", "text": None, "editable": True}
        group = {"id": "terms", "label": both("Laufzeit", "Term"), "attributes": [{**notice, "value": "P14D"}]}
        shown = details(processes=[process()], groups=[group])
        world.answer("GET", "portal", f"/contracts/{CONTRACT}", shown)
        response = await clerk.get(f"{PLACE}/portals/customers")
        asked = world.calls_to("GET", "portal", f"/contracts/{CONTRACT}")[0]
        assert (asked.query["portal_id"], asked.query["contact_id"]) == ("customers", BEN)
        for word in ("14 Tage", "Vom Kunden änderbar", "Vertrag kündigen", "Kündigung"):
            assert word in words(response)
        assert not soup(response).select("main form[method=post]")

    async def test_all_billing_events(self, world: World, clerk: Browser) -> None:
        events = page(*details()["billing_events"], next="more")
        world.answer("GET", "portal", f"/contracts/{CONTRACT}/billing-events", events)
        response = await clerk.get(f"{PLACE}/billing-events")
        assert "142,00" in words(response)
        assert f"{PLACE}/billing-events?cursor=more" in links(response)

    async def test_starting_a_process(self, world: World, clerk: Browser) -> None:
        world.answer("POST", "processes", "/instances", {"instance_id": INSTANCE}, 201)
        response = await clerk.post(f"{PLACE}/processes", {"process": "cancellation", "portal": ""})
        assert response.headers["Location"] == PROCESS
        (sent,) = world.calls_to("POST", "processes", "/instances")
        record = {"entity": "contract", "id": CONTRACT}
        assert sent.body == {"process": "cancellation", "record": record, "portal_id": None}

    async def test_one_that_is_not_there(self, clerk: Browser) -> None:
        for path in ("", "/edit", "/delete", "/billing-events", "/portals/customers"):
            assert (await clerk.get(f"/contracts/nothing{path}")).status_code == 404


class TestBoard:
    async def test_tasks_by_whose_they_are(self, world: World, clerk: Browser) -> None:
        for whose, name, value in (("metering", "group", "metering"), ("mine", "staff", "s-1")):
            await clerk.get(f"/tasks?whose={whose}&overdue=yes")
            query = world.calls_to("GET", "processes", "/tasks")[-1].query
            assert (query[name], query["overdue"]) == (value, "true")

    async def test_a_task_is_done_from_the_list(self, world: World, clerk: Browser) -> None:
        response = await clerk.get("/tasks?overdue=yes")
        for word in ("Kündigung wird bestätigt", "V-1003", "Ben Krüger", "Überfällig"):
            assert word in words(response)
        form = soup(response).select_one(f"form[action='{STEP}']")
        assert form is not None
        fields = {str(field["name"]): str(field["value"]) for field in form.select("input")}
        world.answer("POST", "processes", f"{API_STEP}/complete", {})
        done = await clerk.post(STEP, {"what": fields["what"], "next": fields["next"]})
        assert done.headers["Location"] == "/tasks?overdue=yes"

    async def test_nobody_is_led_elsewhere(self, world: World, clerk: Browser) -> None:
        world.answer("POST", "processes", f"{API_STEP}/complete", {})
        done = await clerk.post(STEP, {"what": "complete", "next": "//evil.example"})
        assert done.headers["Location"] == "/"

    async def test_a_list_or_columns(self, world: World, clerk: Browser) -> None:
        assert soup(await clerk.get("/processes")).select("tbody tr")
        query = world.calls_to("GET", "processes", "/instances")[-1].query
        assert query["status"] == "open"
        response = await clerk.get("/processes?process=cancellation&view=board")
        lanes = soup(response).select(".lane")
        assert [len(lane.select(".lane-card")) for lane in lanes] == [0, 1]
        await clerk.get("/processes?status=all")
        assert "status" not in world.calls_to("GET", "processes", "/instances")[-1].query

    @pytest.mark.parametrize(
        ("what", "fields", "body"),
        [
            ("complete", {}, None),
            ("skip", {"reason": "unnötig"}, {"reason": "unnötig"}),
            ("reopen", {"reason": ""}, {"reason": None}),
            ("assignee", {"assignee": "group:metering"}, {"assignee": {"kind": "group", "group": "metering"}}),
            (
                "assignee",
                {"assignee": f"staff:{MARIA}"},
                {"assignee": {"kind": "staff", "staff_id": MARIA}},
            ),
            (
                "assignee",
                {"assignee": f"contact:customer:{BEN}"},
                {"assignee": {"kind": "contact", "role": "customer", "contact_id": BEN}},
            ),
        ],
    )
    async def test_what_is_done_with_a_step(
        self, world: World, clerk: Browser, what: str, fields: dict[str, str], body: Any
    ) -> None:
        world.answer("POST", "processes", f"{API_STEP}/{what}", {})
        for _ in range(2):
            response = await clerk.post(STEP, {"what": what, **fields})
            assert (response.status_code, response.headers["Location"]) == (303, PROCESS)
        first, second = world.calls_to("POST", "processes", f"{API_STEP}/{what}")
        assert first.body == body
        assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]

    async def test_a_process_tells_who_did_what(self, clerk: Browser) -> None:
        response = await clerk.get(PROCESS)
        for word in ("Angaben prüfen", "Maria Kern", "Überfällig", "Ben Krüger", "Kundenservice"):
            assert word in words(response)
        choices = {option["value"] for option in soup(response).select("select[name=assignee] option")}
        assert {"group:customer_service", f"staff:{MARIA}", f"contact:customer:{BEN}"} <= choices

    async def test_a_refusal_is_told_where_it_happened(self, world: World, clerk: Browser) -> None:
        world.refuse("POST", "processes", f"{API_STEP}/complete", 409, "step_not_active")
        response = await clerk.post(STEP, {"what": "complete"})
        assert response.status_code == 409
        assert "Sentence of step_not_active." in words(response)

    async def test_cancelling(self, world: World, clerk: Browser) -> None:
        world.answer("POST", "processes", f"/instances/{INSTANCE}/cancel", {})
        await clerk.post(f"{PROCESS}/cancel", {"reason": "Irrtum"})
        assert world.calls_to("POST", "processes", f"/instances/{INSTANCE}/cancel")[0].body == {"reason": "Irrtum"}

    async def test_operators_may_do_what_clerks_may(self, world: World) -> None:
        async with visiting(world, STAFF, member("operator")) as operator:
            for path in (PROCESS, "/tasks"):
                assert soup(await operator.get(path)).select("main form[method=post]")

    async def test_what_is_over(self, world: World, clerk: Browser) -> None:
        over = instance(
            status="cancelled", active=None, reason="Irrtum", by=f"staff/{MARIA}", ended_at="2026-11-21T09:00:00Z"
        )
        world.answer("GET", "processes", f"/instances/{INSTANCE}", over)
        response = await clerk.get(PROCESS)
        assert {"Irrtum", "Abgebrochen"} <= set(words(response).split())
        assert not soup(response).select("main form[method=post]")
        assert (await clerk.get("/processes/nothing")).status_code == 404


class TestImports:
    REPORT: dict[str, Any] = {  # noqa: RUF012 not changed
        "id": "i-1",
        "entity": "contact",
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "refused": 1,
        "only_when_new": [],
        "positions": [],
        "rows": [
            {"row": 2, "external_id": "K-1", "outcome": "created", "id": BEN, "reason": None},
            {
                "row": 3,
                "external_id": "=K-2",
                "outcome": "refused",
                "id": None,
                "reason": {"code": "invalid_email", "attribute": "email", "text": both("Falsch.", "Wrong.")},
            },
        ],
    }

    async def test_a_file_goes_on_as_it_is(self, world: World, clerk: Browser) -> None:
        content = "Kundennummer\nK-1\n".encode("cp1252")
        world.answer("POST", "entities", "/imports/contact", self.REPORT)
        for _ in range(2):
            files = {"file": ("contacts.csv", content, "text/csv")}
            response = await clerk.post("/imports", {"entity": "contact"}, files=files)
            assert response.headers["Location"] == "/imports/i-1"
        first, second = world.calls_to("POST", "entities", "/imports/contact")
        assert (first.content, first.headers["Content-Type"]) == (content, "text/csv")
        assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]

    async def test_what_is_missing_is_said(self, world: World, clerk: Browser) -> None:
        response = await clerk.post("/imports", {"entity": "contact"})
        assert response.status_code == 422
        assert "wählen Sie eine Datei" in words(response)

    async def test_a_file_that_cannot_be_read(self, world: World, clerk: Browser) -> None:
        world.refuse("POST", "entities", "/imports/contact", 422, "invalid_file")
        files = {"file": ("contacts.csv", b"?", "text/csv")}
        response = await clerk.post("/imports", {"entity": "contact"}, files=files)
        assert "Sentence of invalid_file." in words(response)

    async def test_the_report_begins_with_what_was_refused(self, world: World, clerk: Browser) -> None:
        world.answer("GET", "entities", "/imports/i-1", self.REPORT)
        response = await clerk.get("/imports/i-1")
        assert [row.select("th")[0].get_text() for row in soup(response).select("tbody tr")] == ["=K-2", "K-1"]
        assert f"/contacts/{BEN}" in links(response)
        only = await clerk.get("/imports/i-1?only=created")
        assert len(soup(only).select("tbody tr")) == 1
        refused = (await clerk.get("/imports/i-1/refused")).text.lstrip("\ufeff")
        assert list(csv.reader(StringIO(refused), delimiter=";"))[1] == ["3", "'=K-2", "email", "Falsch."]

    async def test_columns_are_explained_and_a_template_is_there(self, clerk: Browser) -> None:
        assert "Vertragsinhaber" in words(await clerk.get("/imports"))
        template = (await clerk.get("/imports/templates/contract")).text.lstrip("\ufeff")
        heads, example = csv.reader(StringIO(template), delimiter=";")
        assert {"Vertragsnummer", "Status", "Vertragsinhaber"} <= set(heads)
        assert len(heads) == len(example)
        assert (await clerk.get("/imports/templates/nothing")).status_code == 404


class TestHistory:
    async def test_who_changed_what(self, world: World, clerk: Browser) -> None:
        path = f"/records/contract/{CONTRACT}/history"
        refused = {
            **entry(4, "status", None, None, None),
            "what": "mapping_refused",
            "changes": [],
            "code": "invalid_date",
        }
        changed = entry(3, "holder", ["somebody"], [BEN])
        world.answer("GET", "entities", path, page(refused, changed, next=3))
        response = await clerk.get(f"/events/contract/{CONTRACT}?before=entities:9")
        assert world.calls_to("GET", "entities", path)[0].query["before"] == "9"
        for word in ("invalid_date", "Automatisch", "Vertragsinhaber", "Ben Krüger", "Maria Kern", "entities/2:3"):
            assert word in words(response)
        assert f"/events/contract/{CONTRACT}?before=entities%3A3%2Cbilling%3A-%2Cprocesses%3A-" in links(response)
        assert (await clerk.get("/events/contract/nothing")).status_code == 404
        assert (await clerk.get(f"/events/nothing/{CONTRACT}")).status_code == 404


class TestFailures:
    async def test_whose_they_are_and_what_failed(self, world: World, clerk: Browser) -> None:
        failed = {
            **request("failed", effect("map", "failed", "Das Datum passt nicht.", code="invalid_date")),
            "contact_id": BEN,
            "portal_id": "customers",
        }
        world.answer("GET", "portal", "/staff/failures", page(failed))
        response = await clerk.get("/failures")
        for word in ("Das Datum passt nicht.", "invalid_date", "Ben Krüger", "Fehlgeschlagen"):
            assert word in words(response)
        assert f"/submissions/{failed['submission_id']}" in links(response)

    async def test_what_was_sent_with_its_files(self, world: World, clerk: Browser) -> None:
        content = {
            "submission_id": "s-1",
            "reference": "AAAA-BBBB",
            "journey_id": "cancellation",
            "submitted_at": "2026-11-20T09:00:00Z",
            "contact_id": BEN,
            "context": {"entity": "contract", "id": CONTRACT},
            "task": None,
            "erased": False,
            "summary": [{"label": both("Warum?", "Why?"), "text": "Umzug"}],
            "files": [{"file_id": "f-1", "media_type": "application/pdf", "size_bytes": 2_000}],
            "file_names": {"f-1": "nachweis.pdf"},
        }
        world.answer("GET", "journeys", "/submissions/s-1/content", content)
        cancelled = effect("cancel_contract", "done", "Ihre Kündigung ist eingegangen.", ends_on="2026-12-31")
        begun = effect("start_process", "done", "„Kündigung“ hat begonnen.", instance_id=INSTANCE)
        world.answer("GET", "portal", "/requests/s-1", request("done", cancelled, begun))
        response = await clerk.get("/submissions/s-1")
        for word in ("AAAA-BBBB", "Umzug", "nachweis.pdf", "Ben Krüger", "PDF", "V-1003"):
            assert word in words(response)
        assert [each.get_text() for each in soup(response).select(".effects li")] == [
            "Die Kündigung zum 31.12.2026 ist eingegangen.",
            "„Kündigung“ hat begonnen. Prozess ansehen",
        ]
        (back,) = soup(response).select(".header-back")
        assert back["href"] == PLACE
        headers = {"Content-Type": "text/html", "Content-Disposition": "inline"}
        world.answers["GET", "journeys", "/files/f-1"] = httpx.Response(200, text="<script>", headers=headers)
        file = await clerk.get("/submissions/s-1/files/f-1")
        assert file.headers["Content-Disposition"].startswith("attachment")
        assert "sandbox" in file.headers["Content-Security-Policy"]
        assert (await clerk.get("/submissions/nothing")).status_code == 404


async def test_in_english(clerk: Browser) -> None:
    clerk.http.headers["Accept-Language"] = "en"
    world_language = await clerk.post("/language", {"language": "en", "next": "/"})
    assert world_language.status_code == 303
    for path, said in ((PLACE, "Contract V-1003"), ("/tasks", "Overdue"), ("/imports", "Which columns are possible")):
        assert said in words(await clerk.get(path))


async def test_forms_that_are_not_ours_change_nothing(world: World, clerk: Browser) -> None:
    for path in (
        STEP,
        f"{PROCESS}/cancel",
        f"{PLACE}/cancellation",
        f"{PLACE}/processes",
        "/imports",
        "/notices/n/read",
    ):
        assert (await clerk.http.post(path, data={"what": "complete"})).status_code == 403
    assert {call.method for call in world.calls if call.path not in {"/token", "/sessions/token"}} <= {"GET"}
