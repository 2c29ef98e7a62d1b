"""Records and imports through HTTP, on real PostgreSQL and Kafka."""

import asyncio
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.testing import RunningService, eventually
from contracts.entities import EntityCreated
from contracts.identity import PersonErased
from contracts.ids import record_id
from services.entities.app import SCHEMAS
from services.entities.records.reactions import RecordsHandler
from services.entities.records.views import RECORDS, RecordDocument
from tests.services.entities.conftest import Token

CONTACTS = "Kundennummer;Vorname;Nachname;E-Mail;Sprache\r\nK-1;Anna;Sommer;anna@example.org;Deutsch\r\n"
CONTRACTS = "number;status;division;product;starts_on;holder\n"


class Api:
    """The service as a member of staff reaches it."""

    def __init__(self, running: RunningService, token: Token) -> None:
        self.service = running.service
        self.client = running.client
        self.headers = token("staff")

    async def post(self, entity: str, body: str | bytes, **headers: str) -> httpx.Response:
        content = body.encode() if isinstance(body, str) else body
        return await self.client.post(
            f"/imports/{entity}", content=content, headers={**self.headers, "Content-Type": "text/csv", **headers}
        )

    async def report(self, entity: str, body: str | bytes, **headers: str) -> dict[str, Any]:
        answer = await self.post(entity, body, **headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def put(self, entity: str, external_id: str, body: dict[str, Any], **headers: str) -> httpx.Response:
        return await self.client.put(f"/records/{entity}/{external_id}", json=body, headers={**self.headers, **headers})

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers={**self.headers, **headers})


@pytest.fixture
def api(entities: RunningService, token: Token) -> Api:
    return Api(entities, token)


def outcomes(report: dict[str, Any]) -> list[str]:
    return [row["outcome"] for row in report["rows"]]


def shown_with(report: dict[str, Any]) -> dict[str, str]:
    """The header of a read that must show an import."""
    return {"Portico-Position": ", ".join(report["positions"])}


async def test_an_import_and_the_same_again(api: Api) -> None:
    first = await api.report("contact", CONTACTS + "K-2;Ben;Krüger;;\n")
    assert (first["created"], first["updated"], first["unchanged"], first["refused"]) == (2, 0, 0, 0)
    assert [(row["row"], row["external_id"]) for row in first["rows"]] == [(2, "K-1"), (3, "K-2")]
    second = await api.report("contact", CONTACTS + "K-2;Ben;Krüger;;\n")
    assert outcomes(second) == ["unchanged", "unchanged"]
    third = await api.report("contact", CONTACTS.replace("Sommer", "Winter"))
    assert outcomes(third) == ["updated"]


async def test_the_report_can_be_read_again_and_holds_nothing_personal(api: Api) -> None:
    report = await api.report("contact", CONTACTS + "R-1;;;no-mail;\nR-2;Cleo;Berg;;\nR-2;Cleo;Berg;;\n")
    again = await api.get(f"/imports/{report['id']}")
    assert again.json() == report
    assert outcomes(report)[1:] == ["refused", "created", "refused"]
    assert report["rows"][1]["reason"]["code"] == "invalid_email"
    assert report["rows"][1]["reason"]["text"] == {
        "de": "E-Mail: Das ist keine E-Mail-Adresse.",
        "en": "E-mail: this is not an e-mail address.",
    }
    assert report["rows"][3]["reason"]["text"]["en"] == "This record is already in row 4."
    assert not {"Cleo", "Berg", "no-mail"} & set(again.text.replace('"', " ").split())
    history = await api.service.streams.history(f"import/{report['id']}")
    assert [envelope.event.model_dump()["refused"] for envelope in history] == [2]


async def test_contracts_come_after_their_contacts(api: Api) -> None:
    row = "V-77;aktiv;Strom;Strom Öko+;01.03.2026;K-77\n"
    early = await api.report("contract", CONTRACTS + row)
    assert early["rows"][0]["reason"]["code"] == "unknown_holder"
    assert "K-77" in early["rows"][0]["reason"]["text"]["de"]
    await api.report("contact", "customer_number;last_name\nK-77;Sommer\n")
    late = await api.report("contract", CONTRACTS + row)
    assert outcomes(late) == ["created"]
    assert late["only_when_new"] == ["status"]
    found = await api.get(f"/records/contract/{late['rows'][0]['id']}", **shown_with(late))
    assert found.json()["attributes"] == {
        "number": "V-77",
        "status": "active",
        "division": "electricity",
        "product": "Strom Öko+",
        "starts_on": "2026-03-01",
    }
    assert found.json()["relations"] == {"holder": [record_id("contact", "K-77")]}
    assert found.json()["person"] == f"contact/{record_id('contact', 'K-77')}"


async def test_a_deleted_contact_is_no_holder(api: Api) -> None:
    await api.put("contact", "K-gone", {"last_name": "Sommer"})
    deleted = await api.client.delete("/records/contact/K-gone", headers=api.headers)
    assert deleted.status_code == 204
    report = await api.report("contract", CONTRACTS + "V-gone;active;gas;Erdgas;;K-gone\n")
    assert report["rows"][0]["reason"]["code"] == "unknown_holder"


async def test_an_import_with_a_key_happens_once(api: Api) -> None:
    body = "customer_number;last_name\nI-1;Sommer\n"
    first = await api.report("contact", body, **{"Idempotency-Key": "once"})
    assert await api.report("contact", body, **{"Idempotency-Key": "once"}) == first
    other = await api.post("contact", body.replace("Sommer", "Winter"), **{"Idempotency-Key": "once"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_two_imports_of_the_same_rows_at_once(api: Api) -> None:
    body = "customer_number;last_name\n" + "".join(f"T-{number};Sommer\n" for number in range(300))
    reports = await asyncio.gather(*(api.report("contact", body) for _ in range(3)))
    assert sum(report["created"] for report in reports) == 300
    assert sum(report["unchanged"] for report in reports) == 600


@pytest.mark.parametrize(
    ("body", "media_type", "status", "code"),
    [
        ("", "text/csv", 422, "invalid_empty_file"),
        ("a;b\n1;2", "text/csv", 422, "invalid_columns"),
        ("{}", "application/json", 422, "invalid_rows"),
        ("customer_number;last_name\nK-1;Som\0mer", "text/csv", 400, "invalid_character"),
        ("customer_number;last_name\n" + "x" * 17_000_000, "text/csv", 413, "body_too_large"),
        ("customer_number", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
    ],
)
async def test_files_that_are_refused(api: Api, body: str, media_type: str, status: int, code: str) -> None:
    answer = await api.post("contact", body, **{"Content-Type": media_type})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["detail"]


async def test_windows_1252_says_so(api: Api) -> None:
    body = "Kundennummer;Nachname\nW-1;Größe\n".encode("cp1252")
    report = await api.report("contact", body, **{"Content-Type": "text/csv; charset=windows-1252"})
    record = await api.get(f"/records/contact/{report['rows'][0]['id']}", **shown_with(report))
    assert record.json()["personal"]["last_name"] == "Größe"


async def test_json_rows(api: Api) -> None:
    answer = await api.client.post(
        "/imports/contact",
        json=[{"customer_number": "J-1", "last_name": "Sommer", "divisions": ["gas"]}, {"last_name": "Winter"}],
        headers=api.headers,
    )
    assert outcomes(answer.json()) == ["created", "refused"]
    assert answer.json()["rows"][1]["reason"]["code"] == "invalid_missing"


async def test_a_record_is_put_read_changed_and_deleted(api: Api) -> None:
    created = await api.put("contact", "P-1", {"last_name": "Sommer", "email": "p@example.org"})
    assert (created.status_code, created.headers["ETag"]) == (201, '"1"')
    position = {"Portico-Position": created.headers["Portico-Position"]}
    url = f"/records/contact/{created.json()['id']}"
    read = await api.get(url, **position)
    assert read.headers["ETag"] == '"1"'
    assert read.headers["Portico-Position-Reached"] == "true"
    assert read.json()["personal"] == {"last_name": "Sommer", "email": "p@example.org"}
    stale = await api.put("contact", "P-1", {"email": "q@example.org"}, **{"If-Match": '"7"'})
    assert stale.status_code == 412
    changed = await api.put("contact", "P-1", {"email": None}, **{"If-Match": '"1"'})
    assert (changed.status_code, changed.json()["effect"]) == (200, "updated")
    assert (await api.put("contact", "P-1", {"email": None})).json()["effect"] == "unchanged"
    found = await api.get(
        "/records/contact?external_id=P-1", **{"Portico-Position": changed.headers["Portico-Position"]}
    )
    assert [item["personal"] for item in found.json()["items"]] == [{"last_name": "Sommer"}]
    deleted = await api.client.delete("/records/contact/P-1", headers=api.headers)
    assert deleted.status_code == 204
    gone = await api.get(url, **{"Portico-Position": deleted.headers["Portico-Position"]})
    assert (gone.status_code, gone.json()["code"]) == (404, "record_not_found")
    refused = await api.put("contact", "P-1", {"last_name": "Sommer", "email": "nobody"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_email")


async def test_an_external_id_may_hold_a_slash(api: Api) -> None:
    created = await api.put("contact", "2026%2F0017", {"last_name": "Sommer"})
    position = {"Portico-Position": created.headers["Portico-Position"]}
    for key in ("2026/0017", "2026%2F0017", record_id("contact", "2026/0017")):
        assert (await api.get(f"/records/contact/{key}", **position)).json()["external_id"] == "2026/0017"


async def test_an_erp_may_write_but_not_read(entities: RunningService, token: Token) -> None:
    client, headers = entities.client, token("erp")
    put = await client.put("/records/contact/ERP-1", json={"last_name": "Sommer"}, headers=headers)
    assert put.status_code == 201
    assert (await client.get("/records/contact/ERP-1", headers=headers)).status_code == 403


async def test_a_contact_that_holds_contracts_stays(api: Api) -> None:
    await api.put("contact", "H-1", {"last_name": "Sommer"})
    contract = {"status": "active", "division": "gas", "product": "Erdgas", "holder": "H-1"}
    put = await api.put("contract", "HV-1", contract)
    await api.get(f"/records/contract/{put.json()['id']}", **{"Portico-Position": put.headers["Portico-Position"]})
    refused = await api.client.delete("/records/contact/H-1", headers=api.headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "record_in_use")


async def test_pages(api: Api) -> None:
    rows = "".join(f"L-{number};Sommer\n" for number in range(25))
    report = await api.report("contact", "customer_number;last_name\n" + rows)
    position = shown_with(report)
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        page = (await api.get(f"/records/contact?limit=10&after={after}", **position)).json()
        assert len(page["items"]) <= 10
        seen += [item["external_id"] for item in page["items"]]
        after = page["next"]
    assert len(seen) == len(set(seen))
    assert {f"L-{number}" for number in range(25)} <= set(seen)


async def test_records_are_found_by_beginnings_of_words_and_by_values(api: Api) -> None:
    contacts = "customer_number;first_name;last_name;email;divisions\nF-4711;Jürgen;Größmann;j.g@firma.example;gas\n"
    await api.report("contact", contacts + "F-4712;Jutta;Gross;jutta@example.org;gas|water\n")
    rows = "FV-1;active;gas;Erdgas;F-4711\nFV-2;draft;gas;Biogas;F-4711\nFV-3;active;water;Wasser;F-4712\n"
    report = await api.report("contract", CONTRACTS.replace(";starts_on", "") + rows)
    holder = record_id("contact", "F-4711")

    async def found(query: str) -> list[str]:
        page = (await api.get(f"/records/{query}", **shown_with(report))).json()
        return sorted(item["external_id"] for item in page["items"])

    assert await found("contact?search=juerg größ") == ["F-4711"]
    assert await found("contact?search=GROS") == ["F-4711", "F-4712"][1:]
    assert await found("contact?search=4712") == ["F-4712"]
    assert await found("contact?search=firma.example") == ["F-4711"]
    assert await found("contact?search=jutta firma") == []
    assert await found("contact?search=f-471&where=divisions:Wasser") == ["F-4712"]
    assert await found(f"contract?where=holder:{holder}") == ["FV-1", "FV-2"]
    assert await found(f"contract?where=holder:{holder}&where=status:active") == ["FV-1"]
    assert await found(f"contact?ids={holder},nobody") == ["F-4711"]
    for query in ("last_name:Gross", "colour:red", "status:gone"):
        assert (await api.get(f"/records/contract?where={query}")).status_code == 422
    assert set((await api.get(f"/records/contact/{holder}")).json()) == set(RecordDocument.model_fields)


async def test_the_latest_imports(api: Api) -> None:
    report = await api.report("contact", CONTACTS)
    latest = (await api.get("/imports?limit=1")).json()["items"]
    assert [(each["id"], each["entity"]) for each in latest] == [(report["id"], "contact")]
    assert "rows" not in latest[0]


async def test_schemas_are_served(api: Api) -> None:
    served = await api.get("/schemas/contract")
    assert served.json()["attributes"]["status"]["decided_by"] == "billing"
    assert (await api.get("/schemas/lamp")).json()["code"] == "entity_unknown"


@pytest.mark.parametrize("role", ["customer", "installer", "gateway", "service"])
async def test_who_may(entities: RunningService, token: Token, role: Any) -> None:
    client, headers = entities.client, token(role)
    answers = [
        await client.get("/records/contact", headers=headers),
        await client.put("/records/contact/K-1", json={"last_name": "x"}, headers=headers),
        await client.delete("/records/contact/K-1", headers=headers),
        await client.post("/imports/contact", json=[], headers=headers),
        await client.get("/imports/1", headers=headers),
        await client.get("/records/contact/1/history", headers=headers),
        await client.put("/records/contact/1/relations/x", json={"to": []}, headers=headers),
        await client.put("/schemas/contact", json={}, headers=headers),
        await client.get("/schemas", headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [403] * len(answers)
    one = await client.get("/records/contact/1", headers=headers)
    assert one.status_code == (404 if role in {"customer", "installer"} else 403)
    assert (await client.get("/schemas/contact")).status_code == 401


async def test_an_erased_person_is_forgotten_by_contact_and_contracts(api: Api) -> None:
    await api.put("contact", "E-1", {"last_name": "Sommer", "language": "de"})
    contract = {
        "status": "active",
        "division": "gas",
        "product": "Erdgas",
        "holder": "E-1",
        "delivery_city": "Lindenau",
    }
    put = await api.put("contract", "EV-1", contract)
    id_ = record_id("contact", "E-1")
    ids = {"contact": id_, "contract": put.json()["id"]}
    await api.get(f"/records/contract/{ids['contract']}", **{"Portico-Position": put.headers["Portico-Position"]})
    handler = RecordsHandler(api.service.keyring)
    envelope = (await api.service.streams.history(f"contact/{id_}"))[0]
    assert isinstance(envelope.event, EntityCreated)
    async with api.service.pool.connection() as connection, connection.transaction():
        await handler.apply(
            connection, [type(envelope)(envelope.record, PersonErased(person=f"contact/{id_}", reason="asked"))]
        )
    assert (await api.get("/records/contract?search=lindenau&where=holder:" + id_)).json()["items"] == []
    assert (await api.get("/records/contract?search=ev-1")).json()["items"]
    for entity, record in ids.items():
        shown = (await api.get(f"/records/{entity}/{record}")).json()
        assert (shown["personal"], shown["erased"]) == ({}, True)
        assert shown["attributes"]


async def test_what_is_stored_is_sealed(api: Api) -> None:
    created = await api.put("contact", "S-1", {"last_name": "Seltenername"})
    stored = (await api.service.log.load([f"contact/{created.json()['id']}"])).values()
    assert stored
    assert all(b"Seltenername" not in record.data for records in stored for record in records)
    assert RECORDS.table == "view_records_v3"


async def test_the_service_says_it_is_ready(api: Api) -> None:
    async def is_ready() -> bool:
        return (await api.client.get("/health/ready")).status_code == 200

    await eventually(is_ready)


cells = st.one_of(
    st.text(max_size=20),
    st.none(),
    st.integers(-(2**53), 2**53),
    st.floats(),
    st.booleans(),
    st.lists(st.text(max_size=5), max_size=3),
)
rows = st.lists(
    st.dictionaries(st.sampled_from([*SCHEMAS["contact"].attributes, "external_id", "junk"]), cells, max_size=8).map(
        lambda row: {"last_name": "Sommer"} | row
    ),
    max_size=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows)
async def test_any_rows_twice_change_nothing_the_second_time(api: Api, some: list[dict[str, Any]]) -> None:
    numbered = [{"customer_number": f"X-{number}", **row} for number, row in enumerate(some)]
    reports = []
    for _ in range(2):
        content = orjson.dumps(numbered).replace(b"\\u0000", b"")
        answer = await api.post("contact", content, **{"Content-Type": "application/json"})
        assert answer.status_code == 200, answer.text
        reports.append(answer.json())
    first, second = map(outcomes, reports)
    assert set(second) <= {"unchanged", "refused"}
    assert [outcome == "refused" for outcome in first] == [outcome == "refused" for outcome in second]
