"""Every version of every event ever published stays readable: it loads, comes to the newest, and keeps what it says."""

import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from contracts import base
from contracts.base import Event, decode, newest
from contracts.compatibility import breaking_changes
from contracts.erp import ERP_REGISTRY
from contracts.generate import FOLDER
from contracts.json_schema import is_inbound, published, schema_of
from tests.contracts.examples import examples

PUBLISHED = published()
EXAMPLES = [(name, value) for name, values in examples().items() for value in values]


def test_every_published_type_has_an_example() -> None:
    assert set(examples()) == set(PUBLISHED), "tests/contracts/fixtures/: one file per type ever published"


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_examples_of_a_type_show_every_property(name: str) -> None:
    shown = {field for example in examples()[name] for field in example}
    assert shown == set(schema_of(PUBLISHED[name])["properties"]), "a new property comes with one more example"


@pytest.mark.parametrize(("name", "value"), EXAMPLES)
def test_an_example_loads_and_keeps_all_it_says(name: str, value: dict[str, Any]) -> None:
    Draft202012Validator(schema_of(PUBLISHED[name])).validate(value)
    loaded = _load(name, value)
    again = orjson.loads(loaded.model_dump_json())
    assert _contains(again, value)
    assert _load(name, again) == loaded


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, value in EXAMPLES if name not in ERP_REGISTRY])
def test_an_example_comes_to_the_newest_version(name: str, value: dict[str, Any]) -> None:
    event = newest(decode(name, orjson.dumps(value)))
    assert event.upcast() is event
    assert event.version == max(cls.version for cls in _versions(type(event).service, type(event).wire_name))


def test_an_old_version_is_lifted_by_its_upcaster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "REGISTRY", dict(base.REGISTRY))

    class MeterReadV1(Event, service="lamps", version=1, wire_name="MeterRead"):
        meter: str
        kilowatt_hours: int

        def upcast(self) -> "MeterRead":
            return MeterRead(meter=self.meter, watt_hours=self.kilowatt_hours * 1000)

    class MeterRead(Event, service="lamps", version=2):
        meter: str
        watt_hours: int

    old = decode("portico.lamps.MeterRead.v1", b'{"meter": "1", "kilowatt_hours": 12}')
    assert isinstance(old, MeterReadV1)
    assert newest(old) == MeterRead(meter="1", watt_hours=12_000)
    assert newest(decode("portico.lamps.MeterRead.v2", b'{"meter": "1", "watt_hours": 5}')).version == 2
    with pytest.raises(ValidationError):
        decode("portico.lamps.MeterRead.v2", b'{"meter": "1", "kilowatt_hours": 12}')


def test_nothing_that_was_ever_committed_is_taken_back() -> None:
    """Generating again after deleting a schema, or editing an example, would pass every other test."""
    assert taken_back(FOLDER.parent) == []


def taken_back(repository: Path) -> list[str]:
    """Promises and examples in the history of a repository that its work tree no longer keeps."""
    broken: list[str] = []
    for path, content in _history(repository, "contracts/schemas", "tests/contracts/fixtures"):
        name = Path(path).stem
        now = repository / path
        if not now.exists():
            broken.append(f"{path}: deleted")
        elif "fixtures" in path:
            broken += [f"{path}: example gone: {old}" for old in content if old not in orjson.loads(now.read_bytes())]
        else:
            changes = breaking_changes(content, orjson.loads(now.read_bytes()), inbound=name in ERP_REGISTRY)
            broken += [f"{path}: {change}" for change in changes]
    return sorted(set(broken))


def test_the_history_remembers(tmp_path: Path) -> None:
    schema, example = tmp_path / "contracts/schemas/a.json", tmp_path / "tests/contracts/fixtures/a.json"
    for path, content in ((schema, b'{"properties": {"x": {"type": "string"}}}'), (example, b'[{"x": "1"}]')):
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    _git(tmp_path, "init", "--quiet")
    _git(tmp_path, "add", ".")
    identity = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false")
    _git(tmp_path, *identity, "commit", "--quiet", "--message", "Published")
    assert taken_back(tmp_path) == []
    schema.write_bytes(b'{"properties": {}}')
    example.write_bytes(b'[{"x": "2"}]')
    _git(tmp_path, *identity, "commit", "--quiet", "--all", "--message", "Taken back")
    assert taken_back(tmp_path) == [
        "contracts/schemas/a.json: x: removed",
        "tests/contracts/fixtures/a.json: example gone: {'x': '1'}",
    ]
    schema.unlink()
    assert "contracts/schemas/a.json: deleted" in taken_back(tmp_path)


def _load(name: str, value: dict[str, Any]) -> Any:
    return PUBLISHED[name].model_validate_json(orjson.dumps(value))


def _versions(service: str, wire_name: str) -> list[type[Event]]:
    events = [cls for cls in PUBLISHED.values() if not is_inbound(cls) and issubclass(cls, Event)]
    return [cls for cls in events if (cls.service, cls.wire_name) == (service, wire_name)]


def _contains(whole: Any, part: Any) -> bool:
    """Whether everything in `part` is in `whole`, which may have more properties."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and _contains(whole[key], part[key]) for key in part)
    if isinstance(part, list):
        return isinstance(whole, list) and len(whole) == len(part) and all(map(_contains, whole, part))
    return type(whole) is type(part) and bool(whole == part)


def _history(repository: Path, *folders: str) -> list[tuple[str, Any]]:
    """Path and JSON of every version of every file below the folders, as far back as this clone goes."""
    if not (repository / ".git").exists() or not _git(repository, "rev-list", "--all", "--max-count=1"):
        return []
    log = _git(repository, "log", "--full-history", "-m", "--raw", "--no-abbrev", "--format=", "HEAD", "--", *folders)
    changes = (line.split("\t") for line in log.decode().splitlines() if line)
    versions = dict.fromkeys((path, details.split()[3]) for details, path in changes if not details.endswith("D"))
    answer = _git(repository, "cat-file", "--batch", given="\n".join(blob for _, blob in versions))
    found = []
    for path, _ in versions:
        head, _, answer = answer.partition(b"\n")
        size = int(head.split()[2])
        found.append((path, orjson.loads(answer[:size])))
        answer = answer[size + 1 :]
    return found


def _git(repository: Path, *arguments: str, given: str = "") -> bytes:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, input=given.encode(), capture_output=True, timeout=60, check=True).stdout
