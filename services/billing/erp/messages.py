"""Reads what an ERP sends: CloudEvents in binary or structured mode. What does not fit gets a reason, not an error."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError

from chassis.bus import ForeignRecord, Headers
from chassis.errors import Rejected
from contracts.envelope import Metadata
from contracts.erp import ERP_REGISTRY, MAXIMUM_MESSAGE_BYTES, ErpMessage
from contracts.ids import record_id
from services.billing.contracts.state import CONTRACT

STRUCTURED = "application/cloudevents+json"
JSON_TYPES = frozenset({"", "application/json", "text/json"})
UTF8 = frozenset({"utf-8", "utf8", "us-ascii"})
SPECVERSION = "1.0"
IDENTITY = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MAXIMUM_FACT = 200


@dataclass(frozen=True, slots=True)
class Identity:
    """By what a message is known: the same source and id mean the same message."""

    source: str
    id: str


@dataclass(frozen=True, slots=True)
class Message:
    """A record that holds a message."""

    record: ForeignRecord
    identity: Identity
    content: ErpMessage
    contract_id: str
    traceparent: str | None

    @property
    def metadata(self) -> Metadata:
        """What follows from the message names it as its cause."""
        cause = f"{self.identity.source}#{self.identity.id}"
        return Metadata(correlation_id=cause, causation_id=cause, actor="erp", traceparent=self.traceparent)

    def refused(self, refusal: Rejected) -> Misfit:
        return Misfit(self.record, self.identity, refusal)


@dataclass(frozen=True, slots=True)
class Misfit:
    """A record that holds no message, or one that the rules refuse."""

    record: ForeignRecord
    identity: Identity | None
    refusal: Rejected

    @property
    def contract(self) -> str | None:
        """The number of the contract as the record's key says it."""
        return _shown((self.record.key or b"").decode("utf-8", "replace")) or None


def read(record: ForeignRecord) -> Message | Misfit:
    """Reads a record, whoever wrote it; never raises."""
    identity: Identity | None = None
    try:
        attributes, data = _unwrap(record)
        identity = _identity(attributes)
        content = _content(attributes, data)
        if record.key != content.contract.encode():
            raise Rejected("message_key_differs", contract=content.contract)
    except Rejected as refusal:
        return Misfit(record, identity, refusal)
    trace = attributes.get("traceparent", "")
    traceparent = trace if TRACEPARENT.fullmatch(trace) else None
    return Message(record, identity, content, record_id(CONTRACT, content.contract), traceparent)


def _unwrap(record: ForeignRecord) -> tuple[Mapping[str, str], bytes | None]:
    """The attributes of the CloudEvent, named as in its specification, and its data as JSON."""
    headers: dict[str, str] = {}
    for name, raw in record.headers:
        try:
            headers[name.lower()] = (raw or b"").decode()
        except UnicodeDecodeError:
            raise Rejected("message_not_utf8", where=_shown(name)) from None
    content_type = headers.get("content-type", "")
    media_type = _media_type(content_type)
    bare = not content_type and not any(name.startswith("ce_") for name in headers)
    if media_type == STRUCTURED or bare:
        return _unwrap_structured(record.value, headers)
    if media_type not in JSON_TYPES:
        raise Rejected("message_format_unknown", content_type=_shown(media_type))
    attributes = {name.removeprefix("ce_"): value for name, value in headers.items() if name.startswith("ce_")}
    return attributes | {"traceparent": headers.get("traceparent", attributes.get("traceparent", ""))}, record.value


def _unwrap_structured(value: bytes | None, headers: Mapping[str, str]) -> tuple[Mapping[str, str], bytes | None]:
    event = _loads(_bounded(value))
    if not isinstance(event, dict):
        raise Rejected("message_incomplete", missing="specversion")
    attributes = {name: text for name, text in event.items() if isinstance(text, str) and name != "data"}
    data_type = _media_type(attributes.get("datacontenttype", ""))
    if data_type not in JSON_TYPES:
        raise Rejected("message_format_unknown", content_type=_shown(data_type))
    attributes.setdefault("traceparent", headers.get("traceparent", ""))
    if "data" not in event:
        return attributes, None
    try:
        return attributes, orjson.dumps(event["data"])
    except orjson.JSONEncodeError as error:
        raise Rejected("message_not_json", problem=_shown(str(error))) from None


def _media_type(content_type: str) -> str:
    media_type, _, parameters = content_type.lower().partition(";")
    charset = re.search(r'charset\s*=\s*"?([^\s;"]+)', parameters)
    if charset and charset.group(1) not in UTF8:
        raise Rejected("message_format_unknown", content_type=_shown(content_type))
    return media_type.strip()


def _identity(attributes: Mapping[str, str]) -> Identity:
    missing = [name for name in ("specversion", "id", "source", "type") if not attributes.get(name)]
    if attributes.get("specversion") != SPECVERSION and "specversion" not in missing:
        missing.append(f"specversion {SPECVERSION}")
    for name in ("id", "source"):
        if name not in missing and not IDENTITY.fullmatch(attributes[name]):
            missing.append(name)
    if missing:
        raise Rejected("message_incomplete", missing=", ".join(missing))
    return Identity(attributes["source"], attributes["id"])


def _content(attributes: Mapping[str, str], data: bytes | None) -> ErpMessage:
    model = ERP_REGISTRY.get(attributes["type"])
    if model is None:
        raise Rejected("message_type_unknown", type=_shown(attributes["type"]))
    data = _bounded(data)
    try:
        return model.model_validate_json(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            _loads(data)
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise Rejected("message_unfit", where=_shown(where), problem=_shown(first["msg"])) from None


def _bounded(value: bytes | None) -> bytes:
    if not value:
        raise Rejected("message_empty")
    if len(value) > MAXIMUM_MESSAGE_BYTES:
        raise Rejected("message_too_large", size=len(value), limit=MAXIMUM_MESSAGE_BYTES)
    return value


def _loads(value: bytes) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        try:
            value.decode()
        except UnicodeDecodeError as undecodable:
            raise Rejected("message_not_utf8", where=f"byte {undecodable.start}") from None
        raise Rejected("message_not_json", problem=_shown(str(error))) from None


def pack(headers: Headers) -> bytes:
    """Headers as they came, in a form that holds any bytes."""
    return orjson.dumps([[name, base64.b64encode(value or b"").decode()] for name, value in headers])


def unpack(packed: bytes) -> list[tuple[str, bytes]]:
    """What `pack` had packed."""
    return [(name, base64.b64decode(value)) for name, value in orjson.loads(packed)]


def _shown(text: str) -> str:
    """Text from outside as it may stand in a reason."""
    return CONTROL.sub("?", text)[:MAXIMUM_FACT]
