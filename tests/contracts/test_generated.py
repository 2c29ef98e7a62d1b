"""What is generated from the contracts is committed, current, valid, and never takes back what was published."""

import importlib
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from contracts import generate
from contracts.envelope import Metadata, Record
from contracts.generate import FOLDER
from contracts.ids import Position
from contracts.json_schema import published, schema_of
from contracts.topics import SERVICES, TOPICS
from tests.contracts.examples import record

ASYNCAPI = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text())


def test_generated_files_are_current() -> None:
    assert generate.stale() == [], "run `make contracts` and commit what it writes"


def test_generating_twice_gives_the_same_bytes() -> None:
    assert generate.files() == generate.files()


def test_published_schemas_keep_their_promises() -> None:
    assert generate.broken_promises() == [], generate.ADVICE


def test_a_stale_or_surplus_file_is_noticed(tmp_path: Path) -> None:
    written = generate.write(tmp_path)
    assert generate.stale(tmp_path) == []
    (tmp_path / "schemas" / "portico.billing.Invented.v1.json").write_text("{}")
    (tmp_path / written[1]).write_text("{}")
    assert set(generate.stale(tmp_path)) == {Path("schemas", "portico.billing.Invented.v1.json"), written[1]}


def test_a_published_type_that_is_no_longer_declared_is_noticed(tmp_path: Path) -> None:
    generate.write(tmp_path)
    (tmp_path / "schemas" / "portico.billing.Forgotten.v1.json").write_text("{}")
    assert generate.broken_promises(tmp_path) == ["portico.billing.Forgotten.v1: published, but no longer declared"]


def test_a_breaking_change_is_refused_also_when_generating_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    generate.write(tmp_path)
    path = tmp_path / "schemas" / "portico.identity.PersonErased.v1.json"
    promised = json.loads(path.read_text())
    promised["properties"]["erased_by"] = {"type": "string"}
    path.write_text(json.dumps(promised))
    monkeypatch.setattr(generate.broken_promises, "__defaults__", (tmp_path,))
    assert generate.main() == 1
    assert "portico.identity.PersonErased.v1: erased_by: removed" in capsys.readouterr().err
    assert json.loads(path.read_text()) == promised


@pytest.mark.parametrize("name", published())
def test_each_schema_is_a_valid_schema(name: str) -> None:
    schema = json.loads((FOLDER / "schemas" / f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    assert schema["title"] == name
    assert schema["description"]


@pytest.mark.parametrize("name", published())
def test_the_schema_is_what_records_call_their_schema(name: str) -> None:
    headers = dict(record(Position("billing", 0, 1), type_=name, metadata=Metadata()).headers())
    assert headers["ce_dataschema"].decode() == schema_of(published()[name])["$id"]


def test_a_new_type_gets_an_example_that_is_valid(tmp_path: Path) -> None:
    (tmp_path / "portico.identity.PersonErased.v1.json").write_text("mine")
    written = generate.write_examples(tmp_path)
    assert {path.stem for path in written} == set(published()) - {"portico.identity.PersonErased.v1"}
    for path in written:
        cls = published()[path.stem]
        (example,) = json.loads(path.read_text())
        Draft202012Validator(schema_of(cls)).validate(example)
        assert set(example) == set(schema_of(cls)["properties"])
        cls.model_validate_json(json.dumps(example))
    assert generate.write_examples(tmp_path) == []


def test_personal_fields_are_sealed_or_empty_in_schemas() -> None:
    schema = schema_of(published()["portico.notifications.MessageSent.v1"])
    check = Draft202012Validator({**schema, "required": []})
    assert schema["properties"]["recipient"]["x-personal"] is True
    assert schema["properties"]["recipient"]["x-opened"] == {"type": "string"}
    assert check.is_valid({"recipient": {"sealed": "contact/1", "box": "AAAA"}})
    assert check.is_valid({"recipient": ""})
    assert not check.is_valid({"recipient": "anna@example.org"})


def test_asyncapi_document_is_valid() -> None:
    _validate_asyncapi(ASYNCAPI)
    broken = {**ASYNCAPI, "channels": {"billing": {"adress": "portico.billing"}}}
    with pytest.raises(ValueError, match="adress"):
        _validate_asyncapi(broken)


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    references = list(_references(ASYNCAPI))
    assert len(references) > len(published())
    for reference in references:
        file, _, pointer = reference.partition("#")
        if file:
            assert (FOLDER / file).exists(), reference
        target = ASYNCAPI
        for part in pointer.strip("/").split("/") if pointer else ():
            target = target[part]


def test_asyncapi_names_every_topic_and_every_type_once() -> None:
    assert {channel["address"] for channel in ASYNCAPI["channels"].values()} == {f"portico.{t.name}" for t in TOPICS}
    assert {operation["channel"]["$ref"] for operation in ASYNCAPI["operations"].values()} == {
        f"#/channels/{name}" for name in ASYNCAPI["channels"]
    }
    named = [name for channel in ASYNCAPI["channels"].values() for name in channel["messages"]]
    assert sorted(named) == sorted(
        ["rejected", "seal", *(name.removeprefix("portico.").replace(".", "-") for name in published())]
    )


def test_headers_of_a_record_fit_the_documented_headers() -> None:
    full = Metadata(
        "correlation", "billing/1:1", "staff/anna", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    )
    schema = ASYNCAPI["components"]["schemas"]["eventHeaders"]
    for metadata in (full, Metadata()):
        headers = {
            name: value.decode() for name, value in record(Position("billing", 2, 7), metadata=metadata).headers()
        }
        Draft202012Validator(schema).validate(headers)
        assert set(headers) <= set(schema["properties"])


def test_each_fact_about_an_event_has_its_own_header() -> None:
    facts = Metadata(correlation_id="c", causation_id="ca", actor="a", traceparent="t", acted_as="as")
    sent = record(Position("billing", 2, 7), metadata=facts)
    headers = sent.headers()
    assert {
        "ce_correlationid": b"c",
        "ce_causationid": b"ca",
        "ce_actor": b"a",
        "traceparent": b"t",
        "ce_actedas": b"as",
    }.items() <= dict(headers).items()
    assert Record.from_kafka(headers, sent.data) == sent


def test_services_of_the_topics_are_those_that_speak() -> None:
    assert {cls.service for cls in published().values() if hasattr(cls, "service")} == set(SERVICES)


def _validate_asyncapi(document: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models = importlib.import_module("asyncapi3.models")
    models.AsyncAPI3.model_validate(document)


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [reference for inner in value.values() for reference in _references(inner)]
    if isinstance(value, list):
        return [reference for inner in value for reference in _references(inner)]
    return []
