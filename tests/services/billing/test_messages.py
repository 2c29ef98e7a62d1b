"""Everything that can arrive on the ERP's topic is read: as a message, or as a misfit with its reason."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given as sampled
from hypothesis import strategies as some

from chassis.bus import ForeignRecord
from contracts.billing import Basis
from contracts.erp import MAXIMUM_MESSAGE_BYTES, BillingEvent, InstalmentDecision
from contracts.ids import record_id
from services.billing.app import TEXTS
from services.billing.erp.messages import Identity, Message, Misfit, pack, read, unpack

DATA = {
    "contract": "4711",
    "external_id": "B-1",
    "kind": "instalment",
    "amount_cents": 9_000,
    "currency": "EUR",
    "due_on": "2026-04-01",
}
ATTRIBUTES = {"specversion": "1.0", "id": "m-1", "source": "/sap", "type": BillingEvent.type}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def record(
    value: bytes | None, headers: Mapping[str, bytes] | list[tuple[str, Any]], key: bytes | None = b"4711"
) -> ForeignRecord:
    pairs = headers if isinstance(headers, list) else list(headers.items())
    return ForeignRecord("portico.erp.in", 2, 17, key, value, pairs, 0)


def binary(data: object = DATA, key: bytes | None = b"4711", **attributes: str) -> ForeignRecord:
    named = {f"ce_{name}": text.encode() for name, text in {**ATTRIBUTES, **attributes}.items()}
    value = data if isinstance(data, bytes) else json.dumps(data).encode()
    return record(value, {**named, "content-type": b"application/json"}, key)


def structured(data: object = DATA, **attributes: str) -> ForeignRecord:
    value = json.dumps({**ATTRIBUTES, **attributes, "data": data}).encode()
    return record(value, {"content-type": b"application/cloudevents+json; charset=UTF-8"})


def misfit(one: ForeignRecord) -> Misfit:
    found = read(one)
    assert isinstance(found, Misfit)
    assert TEXTS.say(found.refusal.code, "de", found.refusal.facts)
    return found


@pytest.mark.parametrize("one", [binary(), structured()])
def test_both_modes_are_read(one: ForeignRecord) -> None:
    found = read(one)
    assert isinstance(found, Message)
    assert found.identity == Identity("/sap", "m-1")
    assert found.content == BillingEvent.model_validate(DATA)
    assert found.contract_id == record_id("contract", "4711")
    assert found.metadata.causation_id == "/sap#m-1"


def test_structured_mode_needs_no_header() -> None:
    one = structured()
    assert isinstance(read(record(one.value, [])), Message)


def test_a_trace_goes_on_when_it_is_one() -> None:
    for text, expected in [(TRACE, TRACE), ("nonsense", None)]:
        one = binary()
        with_trace = record(one.value, [*one.headers, ("traceparent", text.encode())])
        found = read(with_trace)
        assert isinstance(found, Message)
        assert found.metadata.traceparent == expected


BAD: list[tuple[ForeignRecord, str, str | None]] = [
    (record(b"{}", {}), "message_incomplete", None),
    (record(b'"text"', {}), "message_incomplete", None),
    (record(None, {}), "message_empty", None),
    (binary(b""), "message_empty", "m-1"),
    (binary(b"{"), "message_not_json", "m-1"),
    (binary(b"[" * 50_000), "message_not_json", "m-1"),
    (binary('{"contract": "Müller"}'.encode("latin-1")), "message_not_utf8", "m-1"),
    (record(b"x", {**dict(binary().headers), "ce_id": b"\xff"}), "message_not_utf8", None),
    (binary(b" " * (MAXIMUM_MESSAGE_BYTES + 1)), "message_too_large", "m-1"),
    (record(b" " * (MAXIMUM_MESSAGE_BYTES + 1), {}), "message_too_large", None),
    (record(b"<a/>", {**dict(binary().headers), "content-type": b"application/xml"}), "message_format_unknown", None),
    (
        record(b"{}", {**dict(binary().headers), "content-type": b"application/json; charset=latin-1"}),
        "message_format_unknown",
        None,
    ),
    (structured(datacontenttype="text/plain"), "message_format_unknown", None),
    (binary(id=""), "message_incomplete", None),
    (binary(id="a\x00b"), "message_incomplete", None),
    (binary(source="x" * 201), "message_incomplete", None),
    (binary(specversion="0.3"), "message_incomplete", None),
    (structured(specversion="2"), "message_incomplete", None),
    (record(json.dumps(ATTRIBUTES).encode(), {}), "message_empty", "m-1"),
    (binary(type="portico.erp.Weather.v1"), "message_type_unknown", "m-1"),
    (binary({**DATA, "amount_cents": -1}), "message_unfit", "m-1"),
    (binary({**DATA, "amount_cents": 1.5}), "message_unfit", "m-1"),
    (binary({**DATA, "amount_cents": "9000"}), "message_unfit", "m-1"),
    (binary({**DATA, "amount_cents": 2**60}), "message_unfit", "m-1"),
    (binary({**DATA, "due_on": "01.04.2026"}), "message_unfit", "m-1"),
    (binary({**DATA, "external_id": "a\x00b"}), "message_unfit", "m-1"),
    (binary({**DATA, "ammount": 1}), "message_unfit", "m-1"),
    (structured({**DATA, "currency": "Euro"}), "message_unfit", "m-1"),
    (binary({"contract": "4711"}, type=InstalmentDecision.type), "message_unfit", "m-1"),
    (binary(key=b"4712"), "message_key_differs", "m-1"),
    (binary(key=None), "message_key_differs", "m-1"),
]


@pytest.mark.parametrize(("one", "code", "id_"), BAD)
def test_what_does_not_fit_gets_a_reason(one: ForeignRecord, code: str, id_: str | None) -> None:
    found = misfit(one)
    assert found.refusal.code == code
    assert (found.identity.id if found.identity else None) == id_


def test_a_structured_message_nested_too_deep() -> None:
    deep = b'{"specversion":"1.0","id":"m-1","source":"/sap","type":"x","data":' + b"[" * 900 + b"]" * 900 + b"}"
    assert misfit(record(deep, {})).refusal.code == "message_not_json"


def test_the_reason_names_the_place() -> None:
    refusal = misfit(binary({**DATA, "amount_cents": -1})).refusal
    assert refusal.facts["where"] == "amount_cents"


names = some.sampled_from(["content-type", "ce_id", "ce_type", "ce_source", "ce_specversion", "x", "traceparent"])
contents = some.sampled_from([b"application/json", b"application/cloudevents+json", b"1.0", BillingEvent.type.encode()])
json_values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text() | some.sampled_from(list(DATA.values())),
    lambda inner: some.lists(inner) | some.dictionaries(some.text() | some.sampled_from([*DATA, "data"]), inner),
    max_leaves=10,
)
values = some.none() | some.binary() | json_values.map(lambda value: json.dumps(value).encode())


@sampled(values, some.lists(some.tuples(names, some.none() | some.binary() | contents)), some.none() | some.binary())
def test_nothing_that_arrives_raises(
    value: bytes | None, headers: list[tuple[str, bytes | None]], key: bytes | None
) -> None:
    found = read(record(value, headers, key))
    if isinstance(found, Misfit):
        assert TEXTS.say(found.refusal.code, "en", found.refusal.facts)
        assert "\x00" not in json.dumps(found.refusal.facts) + (found.contract or "")


@sampled(some.lists(some.tuples(some.text(), some.binary())))
def test_headers_are_kept_as_they_are(headers: list[tuple[str, bytes]]) -> None:
    assert unpack(pack(headers)) == headers


def test_what_the_manual_tells_to_send_is_a_message() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "erp.md").read_text(encoding="utf-8")
    (event,) = re.findall(r'\{"specversion.*\}', manual)
    assert isinstance(read(record(event.encode(), {})), Message)
    (body,) = re.findall(r"-d '(.*)'", manual)
    assert BillingEvent.model_validate_json(body).contract == "4711"


def test_every_code_has_its_sentences() -> None:
    folder = Path(__file__).parents[3] / "services" / "billing"
    source = "\n".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    codes = set(re.findall(r'(?:Rejected|NotFound)\(\s*"([a-z_0-9]+)"', source))
    assert len(codes) > 20
    said = {f"ends_by_{basis}" for basis in get_args(Basis)}
    said |= {f"period_{unit}{many}" for unit in ("day", "week", "month") for many in ("", "s")} | {"period_none"}
    assert codes | said == set(TEXTS.sentences)
