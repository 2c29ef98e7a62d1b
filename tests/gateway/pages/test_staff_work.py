"""Staff at work: overview, imports, history, what failed."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

import httpx

from tests.gateway.pages.customer_data import both, effect, notice, page, request
from tests.gateway.pages.staff_data import (
    BEN,
    CONTRACT,
    INSTANCE,
    PLACE,
    PROCESS,
    STEP,
    entry,
    links,
)
from tests.gateway.world import Browser, World, soup, words


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
