"""Files of people: looked at, kept once, sealed, given out to their owners only, and gone when they must be."""

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis.auth import Principal
from chassis.errors import Rejected, Unavailable
from chassis.objects import Objects
from chassis.testing import eventually
from contracts.journeys import FilesDeleted, JourneySubmitted
from services.journeys.cleanup import Cleaned, Cleanup
from services.journeys.files import scanner as scanners
from services.journeys.files.keeping import shown_name
from services.journeys.files.scanner import Scanner
from tests.services.journeys.conftest import NOW, PDF, PNG, PORTAL, World


@pytest.fixture
async def draft(world: World) -> tuple[str, dict[str, str], str]:
    """A submission of the cancellation, whose second step takes three files; its sender and his contact."""
    contact_id, contract_id = await world.contract()
    return await world.begin(contact_id, contract_id), world.customer(contact_id), contact_id


Begun = tuple[str, dict[str, str], str]


def cleanup(world: World) -> Cleanup:
    return Cleanup(world.service.pool, Objects(world.service.settings.objects_url), world.clock)


def objects_of(world: World, id_: str) -> list[Path]:
    return [path for path in (world.files / "submissions" / id_).glob("*") if path.is_file()]


async def test_a_file_comes_back_as_it_was_and_is_sealed_in_between(world: World, draft: Begun) -> None:
    id_, customer, _ = draft
    content = PDF + os.urandom(300_000)
    sent = await world.send(id_, customer, content, "../..\\Meine Bescheinigung Ä.PDF")
    assert sent.status_code == 201, sent.text
    assert (sent.json()["name"], sent.json()["media_type"]) == ("Meine Bescheinigung Ä.pdf", "application/pdf")
    (kept,) = objects_of(world, id_)
    assert content[:64] not in kept.read_bytes()
    got = await world.client.get(f"/files/{sent.json()['file_id']}", headers=customer)
    assert got.content == content
    assert got.headers["content-disposition"] == ("attachment; filename*=UTF-8''Meine%20Bescheinigung%20%C3%84.pdf")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in got.headers["content-security-policy"]
    assert "Bescheinigung" not in str(
        await world.rows("SELECT to_jsonb(files) FROM files WHERE submission_id = %s", id_)
    )


async def test_files_are_for_their_owner_and_for_staff(world: World, draft: Begun) -> None:
    id_, customer, _ = draft
    file_id = (await world.send(id_, customer)).json()["file_id"]
    for headers, status in (
        (customer, 200),
        (world.staff, 200),
        (world.customer("somebody-else"), 404),
        (world.gateway(), 404),
        (world.gateway("guessed"), 404),
        ({}, 401),
    ):
        assert (await world.client.get(f"/files/{file_id}", headers=headers)).status_code == status
    assert (await world.client.get(f"/files/{uuid.uuid4().hex}", headers=world.staff)).status_code == 404


async def test_a_user_who_is_moved_to_another_contact_leaves_all_behind(world: World, draft: Begun) -> None:
    id_, customer, contact_id = draft
    file_id = (await world.send(id_, customer)).json()["file_id"]
    moved = world.as_(Principal("customer", f"user/of-{contact_id}", "another", PORTAL))
    for path in (f"/submissions/{id_}", f"/files/{file_id}"):
        assert (await world.client.get(path, headers=customer)).status_code == 200
        assert (await world.client.get(path, headers=moved)).status_code == 404


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("lies.pdf", PNG, "invalid_file_name"),
        ("lies.png.exe", PNG, "invalid_file_name"),
        ("nothing", PNG, "invalid_file_name"),
        ("program.pdf", b"MZ" + bytes(500), "invalid_file_kind"),
        ("page.pdf", b"<html><script>alert(1)</script>", "invalid_file_kind"),
        ("picture.gif", b"GIF89a" + bytes(100), "invalid_file_kind"),
        ("empty.pdf", b"", "invalid_file_empty"),
    ],
)
async def test_a_file_that_lies_is_refused(world: World, draft: Begun, name: str, content: bytes, code: str) -> None:
    id_, customer, _ = draft
    refused = await world.send(id_, customer, content, name)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert objects_of(world, id_) == []


async def test_a_refusal_says_in_the_language_of_the_caller_what_would_be_right(world: World, draft: Begun) -> None:
    id_, customer, contact_id = draft
    said = [
        (await world.send(id_, headers, PNG, "lies.pdf")).json()["detail"]
        for headers in (customer, world.customer(contact_id, "de"))
    ]
    assert said == [
        "The file's name ends in .pdf, but its content is png.",
        "Der Name der Datei endet auf .pdf, ihr Inhalt ist aber png.",
    ]


async def test_a_repeated_upload_is_one_file(world: World, draft: Begun) -> None:
    id_, customer, _ = draft
    answers = await asyncio.gather(*(world.send(id_, customer, upload_id="phone-0001") for _ in range(4)))
    again = await world.send(id_, customer, upload_id="phone-0001")
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert again.status_code == 200
    assert len({answer.json()["file_id"] for answer in (*answers, again)}) == 1
    assert len(objects_of(world, id_)) == 1
    other = await world.send(id_, customer, PNG, "other.png", upload_id="phone-0001")
    assert (other.status_code, other.json()["code"]) == (409, "upload_id_reused")


async def test_there_is_an_end_to_number_and_size(world: World, draft: Begun) -> None:
    id_, customer, _ = draft
    sent = [(await world.send(id_, customer)) for _ in range(4)]
    assert [answer.status_code for answer in sent] == [201, 201, 201, 422]
    assert sent[3].json()["code"] == "invalid_too_many_files"
    gone = await world.client.delete(f"/submissions/{id_}/files/{sent[0].json()['file_id']}", headers=customer)
    assert gone.status_code == 204
    large = await world.send(id_, customer, PDF + bytes(10 * 1024 * 1024))
    assert (large.status_code, large.json()["code"]) == (422, "invalid_file_too_large")
    huge = await world.send(id_, customer, PDF + bytes(12 * 1024 * 1024))
    assert (huge.status_code, huge.json()["code"]) == (413, "body_too_large")
    assert (await world.send(id_, customer)).status_code == 201
    wrong = await world.send(id_, customer, field_name="reason")
    assert wrong.json()["code"] == "invalid_file_field"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"field": "proof"}, "invalid_file_form"),
        ({"field": "proof", "upload_id": "x"}, "invalid_upload_id"),
        ({"field": "proof", "upload_id": "../../../etc"}, "invalid_upload_id"),
    ],
)
async def test_a_form_that_lacks_something(world: World, draft: Begun, data: dict[str, str], code: str) -> None:
    id_, customer, _ = draft
    files = {"file": ("a.pdf", PDF)}
    refused = await world.client.post(f"/submissions/{id_}/files", data=data, files=files, headers=customer)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    plain = await world.client.post(f"/submissions/{id_}/files", json=data, headers=customer)
    assert plain.status_code == 415


async def test_files_of_questions_that_are_not_asked_and_files_taken_back_are_not_submitted(world: World) -> None:
    body: dict[str, Any] = {
        "journey": "perhaps",
        "title": {"de": "Vielleicht", "en": "Perhaps"},
        "context": "contract",
        "steps": [
            {
                "id": "one",
                "title": {"de": "Mit Datei?", "en": "With a file?"},
                "fields": {
                    "with": {"type": "boolean", "required": True},
                    "kept": {"type": "files"},
                    "hidden": {"type": "files", "when": [{"answers.with": {"is": True}}], "required": True},
                },
            }
        ],
    }
    await world.publish(body)
    contact_id, contract_id = await world.contract()
    id_ = await world.begin(contact_id, contract_id, journey_id="perhaps", action=None)
    customer = world.customer(contact_id)
    missing = await world.answer(id_, "one", customer, **{"with": True})
    assert missing.json()["mistakes"] == [{"path": "hidden", "detail": "Please upload a file."}]
    hidden = (await world.send(id_, customer, field_name="hidden")).json()["file_id"]
    taken_back = (await world.send(id_, customer, field_name="kept")).json()["file_id"]
    await world.client.delete(f"/submissions/{id_}/files/{taken_back}", headers=customer)
    kept = (await world.send(id_, customer, field_name="kept")).json()["file_id"]
    claimed = {"with": False, "hidden": ["foreign"], "kept": ["foreign"]}
    assert (await world.answer(id_, "one", customer, **claimed)).status_code == 200
    assert (await world.client.post(f"/submissions/{id_}/submit", headers=customer)).status_code == 202
    (event,) = await world.history(id_)
    assert isinstance(event, JourneySubmitted)
    assert event.answers == {"with": False, "kept": [kept]}
    assert [file.file_id for file in event.files] == [kept]
    await cleanup(world).once(world.clock())
    assert [path.name for path in objects_of(world, id_)] == [kept]
    assert (await world.client.get(f"/files/{hidden}", headers=customer)).status_code == 404
    refused = await world.client.delete(f"/submissions/{id_}/files/{kept}", headers=customer)
    assert refused.json()["code"] == "already_submitted"


async def test_files_of_drafts_that_expired_are_removed(world: World, draft: Begun) -> None:
    id_, customer, _ = draft
    await world.send(id_, customer)
    await cleanup(world).once(world.clock())
    assert len(objects_of(world, id_)) == 1
    world.clock.now += timedelta(days=31)
    try:
        cleaned = await cleanup(world).once(world.clock())
    finally:
        world.clock.now = NOW
    assert cleaned.drafts >= 1
    assert objects_of(world, id_) == []
    assert await world.rows("SELECT FROM files WHERE submission_id = %s", id_) == []
    assert await cleanup(world).once(NOW) == Cleaned(0, 0, 0)


async def test_an_erased_person_leaves_nothing_behind(world: World) -> None:
    contact_id, contract_id = await world.contract()
    customer = world.customer(contact_id)
    sent, waiting = await world.begin(contact_id, contract_id), await world.begin(contact_id, contract_id)
    file_ids = [(await world.send(id_, customer)).json()["file_id"] for id_ in (sent, waiting)]
    await world.answer(sent, "reason", customer, reason="moving", moving_on="2026-12-24")
    submitted = await world.client.post(f"/submissions/{sent}/submit", headers=customer)
    seen = {**world.staff, "Portico-Position": submitted.headers["Portico-Position"]}
    assert (await world.client.get(f"/submissions/{sent}/content", headers=seen)).json()["answers"][
        "reason"
    ] == "moving"

    await world.erase(f"contact/{contact_id}")

    async def forgotten() -> Any:
        content = (await world.client.get(f"/submissions/{sent}/content", headers=world.staff)).json()
        return content if content["erased"] and not content["files"] else None

    content = await eventually(forgotten)
    assert (content["answers"], content["mapped"], content["summary"]) == ({}, {}, [])
    events = await world.history(sent)
    assert events[1:] == [FilesDeleted(submission_id=sent, file_ids=(file_ids[0],))]
    assert (await world.client.get(f"/submissions/{waiting}", headers=customer)).status_code == 404
    for file_id in file_ids:
        assert (await world.client.get(f"/files/{file_id}", headers=world.staff)).status_code == 404
    assert await world.rows("SELECT FROM drafts WHERE person = %s", f"contact/{contact_id}") == []
    await cleanup(world).once(world.clock())
    assert objects_of(world, sent) + objects_of(world, waiting) == []
    begun = await world.client.post(
        "/submissions", json={"ticket": world.ticket(contact_id, contract_id)}, headers=customer
    )
    assert begun.status_code == 404


async def test_an_object_store_that_is_away_keeps_nothing_half_done(
    world: World, draft: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_, customer, _ = draft

    async def away(self: Objects, name: str, chunks: AsyncIterator[bytes]) -> None:
        raise Unavailable("no bucket")

    monkeypatch.setattr(Objects, "put", away)
    refused = await world.send(id_, customer, upload_id="try-again-1")
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    monkeypatch.undo()
    assert (await world.client.get(f"/submissions/{id_}", headers=customer)).json()["steps"][1]["files"] == []
    assert (await world.send(id_, customer, upload_id="try-again-1")).status_code == 201


async def test_a_file_that_was_given_up_on_its_way_leaves_no_bytes(
    world: World, draft: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_, customer, _ = draft
    put = Objects.put

    async def slow(self: Objects, name: str, chunks: AsyncIterator[bytes]) -> None:
        await world.client.delete(f"/submissions/{id_}/files/{Path(name).name}", headers=customer)
        await cleanup(world).once(world.clock())
        await put(self, name, chunks)

    monkeypatch.setattr(Objects, "put", slow)
    assert (await world.send(id_, customer)).status_code == 404
    assert objects_of(world, id_) == []


async def test_a_file_whose_other_try_was_sent_meanwhile_stays(
    world: World, draft: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_, customer, _ = draft
    await world.answer(id_, "reason", customer, reason="moving", moving_on="2026-12-24")
    put = Objects.put

    async def slow(self: Objects, name: str, chunks: AsyncIterator[bytes]) -> None:
        monkeypatch.undo()
        assert (await world.send(id_, customer, upload_id="phone-0002")).status_code == 201
        assert (await world.client.post(f"/submissions/{id_}/submit", headers=customer)).status_code == 202
        await put(self, name, chunks)

    monkeypatch.setattr(Objects, "put", slow)
    sent = await world.send(id_, customer, upload_id="phone-0002")
    assert sent.status_code == 200, sent.text
    assert (await world.client.get(f"/files/{sent.json()['file_id']}", headers=customer)).content == PDF


async def test_taking_a_file_back_locks_the_draft_before_the_file(world: World, draft: Begun) -> None:
    """As sending does: otherwise each could wait for the other."""
    id_, customer, _ = draft
    file_id = (await world.send(id_, customer)).json()["file_id"]
    async with world.service.pool.connection() as connection, connection.transaction():
        await connection.execute("SELECT FROM drafts WHERE id = %s FOR UPDATE", (id_,))
        dropping = asyncio.create_task(world.client.delete(f"/submissions/{id_}/files/{file_id}", headers=customer))
        await eventually(lambda: world.rows("SELECT FROM pg_locks WHERE NOT granted"))
        await connection.execute("SELECT FROM files WHERE id = %s FOR UPDATE NOWAIT", (file_id,))
    assert (await dropping).status_code == 204


async def test_one_object_that_cannot_be_deleted_keeps_no_other(
    world: World, draft: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cleanup(world).once(NOW)
    id_, customer, _ = draft
    stuck, other = [(await world.send(id_, customer)).json()["file_id"] for _ in range(2)]
    delete = Objects.delete

    async def refused(self: Objects, name: str) -> None:
        if name.endswith(stuck):
            raise Unavailable("not this one")
        await delete(self, name)

    monkeypatch.setattr(Objects, "delete", refused)
    for number, file_id in enumerate((stuck, other)):
        await world.client.delete(f"/submissions/{id_}/files/{file_id}", headers=customer)
        later = NOW + timedelta(minutes=number)
        assert (await cleanup(world).once(later)).removed == number
    assert [path.name for path in objects_of(world, id_)] == [stuck]
    assert await world.rows("SELECT id, changed_at FROM files WHERE submission_id = %s", id_) == [(stuck, later)]
    monkeypatch.undo()
    assert (await cleanup(world).once(later)).removed == 1
    assert objects_of(world, id_) == []


async def test_an_upload_that_never_came_through_is_begun_anew(
    world: World, draft: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the bytes of the first try, if there are any, wait for their removal."""
    id_, customer, _ = draft
    first = (await world.send(id_, customer, upload_id="phone-0003")).json()["file_id"]
    async with world.service.pool.connection() as connection:
        await connection.execute("UPDATE files SET state = 'receiving' WHERE id = %s", (first,))

    async def away(self: Objects, name: str) -> None:
        raise Unavailable("no bucket")

    monkeypatch.setattr(Objects, "delete", away)
    assert (await cleanup(world).once(NOW + timedelta(hours=2))).given_up == 1
    monkeypatch.undo()
    again = await world.send(id_, customer, upload_id="phone-0003")
    assert again.status_code == 201
    assert again.json()["file_id"] != first
    await cleanup(world).once(NOW + timedelta(hours=2))


SCANNER = "import sys; data = sys.stdin.buffer.read(); sys.exit(1 if b'EICAR' in data else {other})"


def scanner(other: str = "0") -> Scanner:
    code = SCANNER.format(other=other)
    return Scanner(f"{sys.executable} -c '{code.replace(chr(39), chr(34))}'")


async def test_a_scanner_refuses_what_is_infected() -> None:
    await Scanner("").scan([b"EICAR"])
    await scanner().scan([b"clean"] * 1000)
    with pytest.raises(Rejected, match="invalid_file_infected"):
        await scanner().scan([b"some EIC", b"AR"])


async def test_a_scanner_that_does_not_answer_lets_nothing_through(monkeypatch: pytest.MonkeyPatch) -> None:
    for broken in (scanner("2"), Scanner("/no/such/command")):
        with pytest.raises(Unavailable):
            await broken.scan([b"clean"])
    monkeypatch.setattr(scanners, "SCAN_SECONDS", 0.2)
    with pytest.raises(TimeoutError):
        await scanner('__import__("time").sleep(60)').scan([b"clean"])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.pdf", "a.pdf"),
        ("C:\\Users\\me\\Brief.PDF", "Brief.pdf"),
        ("../../etc/passwd", "passwd"),
        ('a"b<c>\r\n.pdf', "abc.pdf"),
        (".pdf", "pdf"),
        ("...", "file"),
        ("x" * 500 + ".pdf", "x" * 150 + ".pdf"),
    ],
)
def test_names_are_made_harmless(name: str, shown: str) -> None:
    assert shown_name(name) == shown
