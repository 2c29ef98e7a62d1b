"""Journeys as the gateway's tests need them: one submission in memory, checked and shown by the service's own code."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import yaml

from services.journeys.app import TEXTS
from services.journeys.form.answers import check_all, check_step
from services.journeys.form.document import JourneyDocument
from services.journeys.form.flaws import tell
from services.journeys.submissions.drafts import Draft
from services.journeys.submissions.shown import ShownFile, shown
from tests.gateway.world import Call, World

ID = "a" * 32
SECRET = "the-secret-of-the-draft"
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@dataclass
class JourneyApi:
    """Answers for one submission. `refuse` is what sending is refused with."""

    document: JourneyDocument
    draft: Draft
    files: list[ShownFile] = field(default_factory=list)
    refuse: tuple[int, dict[str, Any]] | None = None
    sent: int = 0

    @classmethod
    def of(cls, world: World, text: str, **draft: Any) -> JourneyApi:
        """Plays a journey that is written as YAML."""
        document = JourneyDocument.model_validate(yaml.safe_load(text))
        begun = Draft(
            id=ID,
            reference="7K3F-9QXM",
            revision=0,
            journey_id=document.journey,
            journey_version=1,
            portal_id="customers",
            language="de",
            person="contact/c-1",
            subject="user/u-1",
            contact_id="c-1",
            secret_hash=None,
            action=None,
            context=None,
            task=None,
            answers={},
            done=(),
            changed_at=NOW,
            expires_at=NOW + timedelta(days=30),
            submitted_at=None,
        )
        api = cls(document, replace(begun, **draft))
        path = f"/submissions/{ID}"
        world.answers["GET", "journeys", path] = lambda _: api.show()
        for step in document.steps:
            world.answers["PUT", "journeys", f"{path}/steps/{step.id}"] = api.answer
        world.answers["POST", "journeys", f"{path}/submit"] = lambda _: api.submit()
        world.answers["POST", "journeys", f"{path}/files"] = api.take
        return api

    def show(self) -> httpx.Response:
        stored = dict(self.draft.answers)
        for file in self.files:
            stored[file.field] = [each.file_id for each in self.files if each.field == file.field]
        checked = check_all(self.document, stored, {}, NOW)
        return httpx.Response(
            200, json=shown(self.draft, self.document, checked, self.files, NOW).model_dump(mode="json", by_alias=True)
        )

    def answer(self, call: Call) -> httpx.Response:
        step = self.document.step(call.path.rpartition("/")[2])
        assert step is not None
        given = call.body["answers"]
        checked = check_step(self.document, step, given=given, stored=dict(self.draft.answers), records={}, now=NOW)
        if checked.flaws and not call.body["as_typed"]:
            mistakes = [
                {"path": mistake.path, "detail": mistake.detail} for mistake in tell(checked.flaws, TEXTS, "de")
            ]
            return httpx.Response(422, json={"code": "invalid_answers", "mistakes": mistakes})
        done = self.draft.done if call.body["as_typed"] else (*self.draft.done, step.id)
        others = {name: value for name, value in self.draft.answers.items() if name not in step.questions()}
        self.draft = replace(self.draft, answers={**others, **checked.answers}, done=done)
        return self.show()

    def take(self, call: Call) -> httpx.Response:
        """Keeps a file once for its upload id."""
        parts = _parts(call)
        known = next((file for file in self.files if file.upload_id == parts["upload_id"]), None)
        if known is None:
            if not parts["file"].startswith("%PDF"):
                return httpx.Response(422, json={"code": "invalid_file_kind", "detail": "Diese Art geht nicht."})
            known = ShownFile(
                file_id=uuid4().hex,
                upload_id=parts["upload_id"],
                field=parts["field"],
                name="beleg.pdf",
                media_type="application/pdf",
                size_bytes=len(parts["file"]),
                sha256="0" * 64,
            )
            self.files.append(known)
        return httpx.Response(201, json=known.model_dump(mode="json"))

    def submit(self) -> httpx.Response:
        if self.refuse:
            status, problem = self.refuse
            return httpx.Response(status, json=problem)
        self.sent += 1
        self.draft = replace(self.draft, submitted_at=NOW)
        headers = {"Portico-Position": "journeys/1:7"}
        return httpx.Response(202, json={"submission_id": ID, "reference": self.draft.reference}, headers=headers)


def for_everybody(text: str) -> tuple[World, JourneyApi]:
    """A world with a public journey, of YAML, that a stranger may begin."""
    world = World()
    api = JourneyApi.of(world, text.replace("\ntitle:", "\naccess: public\ntitle:", 1), contact_id=None, subject=None)
    form = {"version": 1, "description": None, "access": "public", "context": None, "steps": []}
    name, title = api.document.journey, api.document.title.model_dump()
    world.answer("GET", "journeys", f"/journeys/{name}/form", {**form, "journey": name, "title": title})
    world.answer("POST", "journeys", "/submissions", {"submission_id": ID, "draft_secret": SECRET}, 201)
    return world, api


def _parts(call: Call) -> dict[str, str]:
    """The fields of a form with a file, as text."""
    boundary = call.headers["content-type"].partition("boundary=")[2].encode()
    found = {}
    for part in call.content.split(b"--" + boundary)[1:-1]:
        head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
        name = head.split(b'name="')[1].split(b'"')[0].decode()
        found[name] = content.decode("latin-1")
    return found
