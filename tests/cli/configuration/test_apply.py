"""`portico apply` and `export` against services that are stand-ins: what is shown, sent, refused, and written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
import typer

from cli.configuration.apply import DIFFERENT, apply
from cli.configuration.export import export
from cli.configuration.kinds import KINDS
from cli.configuration.remote import Remote
from cli.problem import Problem

FILES = {
    "portals/customers.yaml": "portal: customers  # a remark\naudience: customer\nname: {de: Mein, en: My}\n",
    "contact.yaml": "entity: contact\nlabel: {de: Kontakt, en: Contact}\n",
    "both.yml": "process: cancellation\non: contract\n---\njourney: cancellation\nsteps:\n  - id: reason\n",
    "templates/receipt.yaml": "template: receipt\nportal: customers\nsubject: {de: Da, en: Here}\n",
    ".hidden/x.yaml": "nonsense",
    "contacts.csv": "a;b",
}


class Services:
    """Documents by path, and what was asked."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, int] = {}
        self.puts: list[tuple[str, dict[str, str]]] = []
        self.refusals: dict[str, tuple[int, dict[str, Any]]] = {}
        self.warnings: list[dict[str, str]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method == "PUT":
            return self._put(path, json.loads(request.content), request.headers)
        if found := self.documents.get(path):
            return httpx.Response(200, json=found, headers={"ETag": f'"{self.versions[path]}"'})
        if path.endswith(tuple(kind.listed.rpartition("/")[2] for kind in KINDS)):
            below = sorted(key for key in self.documents if key.rpartition("/")[0] == path)
            place = int(request.url.params.get("cursor") or 0)
            items = [self.documents[key] for key in below[place : place + 1]]
            return httpx.Response(
                200, json={"items": items, "next": str(place + 1) if place + 1 < len(below) else None}
            )
        return httpx.Response(404, json={"detail": "There is no such thing."})

    def _put(self, path: str, body: dict[str, Any], headers: httpx.Headers) -> httpx.Response:
        self.puts.append((path, {name: headers[name] for name in ("If-Match", "Portico-Position") if name in headers}))
        if refused := self.refusals.get(path):
            return httpx.Response(refused[0], json=refused[1])
        self.documents[path] = body
        self.versions[path] = self.versions.get(path, 0) + 1
        answered = body | ({"warnings": self.warnings} if self.warnings else {})
        return httpx.Response(200, json=answered, headers={"Portico-Position": f"x/0:{len(self.puts)}"})


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    found = Services()
    with httpx.Client(transport=httpx.MockTransport(found.answer)) as client:
        urls = {kind.service: f"http://{kind.service}" for kind in KINDS}
        monkeypatch.setattr("cli.configuration.apply.flaws", lambda *_: [])
        monkeypatch.setattr(Remote, "of_environment", lambda: Remote(client, urls))
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(typer.Exit) as caught:
        apply(folder, yes=True, check=False)
    assert caught.value.exit_code == 1
    return capsys.readouterr().err.replace(f"{folder}/", "").splitlines()


def test_documents_are_brought_in_in_order_once(
    services: Services, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apply(folder, yes=True, check=False)
    assert [path for path, _ in services.puts] == [
        "/schemas/contact",
        "/journeys/cancellation",
        "/definitions/cancellation",
        "/portals/customers",
        "/portals/customers/templates/receipt",
    ]
    assert services.documents["/definitions/cancellation"] == {"process": "cancellation", "on": "contract"}
    assert services.puts[2][1] == {"Portico-Position": "x/0:1, x/0:2"}
    assert "5 new, 0 changed, 0 unchanged." in capsys.readouterr().out
    apply(folder, yes=True, check=False)
    assert len(services.puts) == 5
    assert "0 new, 0 changed, 5 unchanged." in capsys.readouterr().out


def test_the_difference_is_shown_first(services: Services, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    apply(folder, yes=True, check=False)
    capsys.readouterr()
    (folder / "contact.yaml").write_text("entity: contact\nlabel: {de: Kunde, en: Contact}\n")
    with pytest.raises(typer.Exit) as caught:
        apply(folder, yes=False, check=True)
    assert caught.value.exit_code == DIFFERENT
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("entity contact  changed")
    assert "  -label: {de: Kontakt, en: Contact}" in shown
    assert "  +label: {de: Kunde, en: Contact}" in shown
    assert len(services.puts) == 5
    apply(folder, yes=True, check=False)
    assert services.puts[5] == ("/schemas/contact", {"If-Match": '"1"'})


def test_it_asks(services: Services, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Problem, match="Nobody is there to ask"):
        apply(folder, yes=False, check=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: (_ for _ in ()).throw(click.Abort()))
    with pytest.raises(click.Abort):
        apply(folder, yes=False, check=False)
    assert not services.puts


def test_a_mistake_is_told_with_its_line_and_the_others_are_taken(
    services: Services, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mistakes = [{"path": "steps.0.title", "detail": "is missing"}, {"path": "nowhere.else", "detail": "is odd"}]
    services.refusals["/journeys/cancellation"] = (422, {"code": "invalid_document", "mistakes": mistakes})
    services.refusals["/schemas/contact"] = (
        422,
        {
            "code": "invalid_request",
            "errors": [{"path": "body.label.de", "message": "Field required", "code": "missing"}],
        },
    )
    services.refusals["/portals/customers"] = (412, {"detail": "The details were changed meanwhile."})
    assert refused(folder, capsys) == [
        "contact.yaml:2: label.de: Field required",
        "both.yml:6: steps.0.title: is missing",
        "both.yml:4: nowhere.else: is odd",
        "portals/customers.yaml:1: The details were changed meanwhile.",
        "2 applied, 3 refused.",
    ]
    assert "/definitions/cancellation" in services.documents


def test_warnings_are_told_too(services: Services, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    services.warnings = [{"path": "audience", "detail": "is not published yet"}]
    apply(folder, yes=True, check=False)
    assert f"  {folder}/portals/customers.yaml:2: audience: is not published yet" in capsys.readouterr().out


def test_nothing_is_sent_when_a_file_cannot_be_read(
    services: Services, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.yaml").write_text("x: [1\ny: 2\n")
    (folder / "b.yaml").write_text("portl: customers\n")
    (folder / "c.yaml").write_text("template: receipt\nsubject: x\n")
    (folder / "d.yaml").write_text("# nothing\n\nentity: contact\n")
    (folder / "e.yaml").write_bytes(b"entity: k\xe4se")
    (folder / "f.yaml").write_text("portal: other\ndesign:\n  logo: ../../secret.svg\n")
    (folder / "g.yaml").write_text("entity: a\nx: {b: 1,\n    b: 2}\n")
    assert refused(folder, capsys) == [
        "a.yaml:2: while parsing a flow sequence, expected ',' or ']', but got ':'",
        "b.yaml:1: is no document: one of the keys entity, journey, process, portal, template names it",
        "c.yaml:1: template: must be a name, and portal must name its portal",
        "e.yaml:1: is not UTF-8: byte 9 is wrong",
        "f.yaml:3: design.logo: there is no file ../../secret.svg beside this one",
        "g.yaml:3: x.b: is there twice",
        "d.yaml:3: entity: contact is defined already in contact.yaml:1",
        "Nothing was applied.",
    ]
    assert not services.puts


def test_a_logo_is_taken_from_its_file(services: Services, folder: Path) -> None:
    (folder / "portals/logo.svg").write_text("<svg/>")
    (folder / "portals/customers.yaml").write_text("portal: customers\ndesign: {logo: logo.svg}\n")
    apply(folder, yes=True, check=False)
    assert services.documents["/portals/customers"]["design"] == {"logo": "<svg/>"}


def test_who_may_not_is_a_problem(services: Services, folder: Path) -> None:
    services.refusals["/schemas/contact"] = (403, {"detail": "You are not permitted to do this."})
    with pytest.raises(Problem, match="entities refuses: You are not permitted"):
        apply(folder, yes=True, check=False)


def test_a_folder_without_documents_is_a_problem(services: Services, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(Problem):
            apply(path, yes=True, check=False)


def test_what_was_exported_makes_no_difference(
    services: Services, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apply(folder, yes=True, check=False)
    export(tmp_path / "out")
    assert {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.yaml")} == {
        "entities/contact.yaml",
        "journeys/cancellation.yaml",
        "processes/cancellation.yaml",
        "portals/customers.yaml",
        "templates/customers/receipt.yaml",
    }
    capsys.readouterr()
    apply(tmp_path / "out", yes=False, check=True)
    assert "5 unchanged" in capsys.readouterr().out
    export(tmp_path / "out")
    assert "5 documents, 0 files written." in capsys.readouterr().out


def test_export_changes_only_what_changed(services: Services, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    apply(folder, yes=True, check=False)
    services.documents["/definitions/cancellation"]["on"] = "contact"
    del services.documents["/schemas/contact"]
    export(folder)
    assert "# a remark" in (folder / "portals/customers.yaml").read_text()
    both = "process: cancellation\non: contact\n---\njourney: cancellation\nsteps: [{id: reason}]\n"
    assert (folder / "both.yml").read_text() == both
    assert "entity contact is only in" in capsys.readouterr().out


def test_only_some_kinds(services: Services, folder: Path, tmp_path: Path) -> None:
    apply(folder, yes=True, check=False)
    export(tmp_path / "out", only=["journey"])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["journeys"]
    with pytest.raises(Problem, match="no kind 'jorney'"):
        export(tmp_path / "out", only=["jorney"])
