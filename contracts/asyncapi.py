"""The AsyncAPI 3.0 document: for those who read Portico's topics or write to them, whatever language they use."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from contracts.base import ORGANISATION
from contracts.json_schema import Published, is_inbound, plain_schema
from contracts.seal import Seal
from contracts.topics import ERP_IN, ERP_REJECTS, SEALS, SERVICES, TOPICS, Topic

PARTITIONS = 4
DESCRIPTION = """\
Every domain event of Portico is a record of the topic of its service; there is no second, internal model.

Records are CloudEvents 1.0 in the Kafka binary binding: attributes are headers, the value is the JSON data.
Partition = shard of the log, key = stream, so that the events of one stream keep their order. `ce_sequence`
has no gap within a partition: a reader that stores it together with what it does can prove that it lost
nothing; a lower or equal one is a repetition. Topics keep everything unless an operator decides otherwise.

A property marked `x-personal` is sealed with the key of a person: it reads `{sealed, box}`, or is empty.
`x-opened` is the schema of the value in the box, which `POST /reveal` of identity opens for those who may see it.

Events grow by optional properties: ignore what you do not know. A breaking change is a new version in the
type's name. `portico` in the addresses is the topic prefix of the installation (PORTICO_TOPIC_PREFIX).
"""


def document(types: Mapping[str, Published], version: str) -> dict[str, Any]:
    """The document over these types; their schemas are files beside it."""
    return {
        "asyncapi": "3.0.0",
        "id": f"urn:{ORGANISATION}",
        "info": {
            "title": "Portico",
            "version": version,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "{servers}",
                "protocol": "kafka",
                "description": "The brokers that PORTICO_KAFKA_SERVERS names; `portico up` starts one.",
                "variables": {"servers": {"default": "127.0.0.1:9094", "description": "host:port, comma separated"}},
            }
        },
        "channels": {_channel_id(topic): _channel(topic, types) for topic in TOPICS},
        "operations": {_operation_id(topic): _operation(topic, types) for topic in TOPICS},
        "components": {
            "messages": {
                **{_short(name): _message(cls) for name, cls in types.items()},
                "rejected": REJECTED,
                "seal": SEAL,
            },
            "schemas": {"eventHeaders": EVENT_HEADERS, "erpHeaders": ERP_HEADERS},
            "correlationIds": {
                "correlation": {
                    "description": "The same through everything that one command or message brought about",
                    "location": "$message.header#/ce_correlationid",
                }
            },
        },
    }


def _messages(topic: Topic, types: Mapping[str, Published]) -> list[str]:
    if topic == ERP_REJECTS:
        return ["rejected"]
    if topic == SEALS:
        return ["seal"]
    inbound = topic == ERP_IN
    return [
        _short(name)
        for name, cls in types.items()
        if is_inbound(cls) == inbound and (inbound or name.split(".")[1] == topic.name)
    ]


def _channel(topic: Topic, types: Mapping[str, Published]) -> dict[str, Any]:
    return {
        "address": f"{ORGANISATION}.{topic.name}",
        "title": topic.name,
        "description": topic.purpose,
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages(topic, types)},
        "bindings": {
            "kafka": {
                "topic": f"{ORGANISATION}.{topic.name}",
                "partitions": PARTITIONS,
                "topicConfiguration": {
                    "cleanup.policy": [topic.settings["cleanup.policy"]],
                    "retention.ms": int(topic.settings["retention.ms"]),
                    "retention.bytes": int(topic.settings["retention.bytes"]),
                },
                "bindingVersion": "0.5.0",
            }
        },
        "x-partitioning": _partitioning(topic),
    }


def _partitioning(topic: Topic) -> str:
    if topic.name in SERVICES:
        return "crc32 (IEEE, as in zlib) of the stream's UTF-8 bytes, modulo the number of shards"
    if topic == SEALS:
        return "the shard's number"
    return "chosen by the writer from the key: records with the same key must share a partition"


def _operation(topic: Topic, types: Mapping[str, Published]) -> dict[str, Any]:
    channel = _channel_id(topic)
    return {
        "action": "receive" if topic == ERP_IN else "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": topic.purpose,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in _messages(topic, types)],
    }


def _message(cls: Published) -> dict[str, Any]:
    inbound = is_inbound(cls)
    key = "The contract's number in the ERP" if inbound else "The stream, as in ce_subject"
    return {
        "name": cls.type,
        "title": cls.type.split(".")[2],
        "summary": " ".join((inspect.getdoc(cls) or "").split("\n\n", maxsplit=1)[0].split()),
        "contentType": "application/json",
        "headers": {"$ref": f"#/components/schemas/{'erpHeaders' if inbound else 'eventHeaders'}"},
        "payload": {"$ref": f"./schemas/{cls.type}.json"},
        **({} if inbound else {"correlationId": {"$ref": "#/components/correlationIds/correlation"}}),
        "bindings": {"kafka": {"key": {"type": "string", "description": key}, "bindingVersion": "0.5.0"}},
    }


def _short(type_name: str) -> str:
    """Unique within the document: `billing-InstalmentChanged-v1`."""
    return type_name.removeprefix(f"{ORGANISATION}.").replace(".", "-")


def _channel_id(topic: Topic) -> str:
    return topic.name.replace(".", "-")


def _operation_id(topic: Topic) -> str:
    return f"{'receive' if topic == ERP_IN else 'publish'}-{_channel_id(topic)}"


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


_CLOUD_EVENT = {
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": _text("The event's position: service/shard:sequence", examples=["billing/2:1234"]),
    "ce_type": _text("The type on the wire", examples=["portico.billing.InstalmentChanged.v1"]),
    "ce_source": _text("/portico/ and the service", examples=["/portico/billing"]),
}
EVENT_HEADERS: dict[str, Any] = {
    "type": "object",
    "description": "CloudEvents 1.0, Kafka binary binding; every header is UTF-8 text.",
    "properties": {
        **_CLOUD_EVENT,
        "ce_subject": _text("The stream: kind/id", examples=["instalments/4f1c0d3e-5d0a-5f0e-9b57-0d7e3f6a9c21"]),
        "ce_time": _text("When it was appended", format="date-time"),
        "ce_sequence": _text("Rises by one within a partition, without gaps", pattern="^[1-9][0-9]*$"),
        "ce_streamversion": _text("Rises by one within a stream, without gaps", pattern="^[1-9][0-9]*$"),
        "ce_dataschema": _text("The $id of the value's JSON Schema"),
        "ce_correlationid": _text("The same through everything that one command brought about"),
        "ce_causationid": _text("The event that this one follows from"),
        "ce_actor": _text("Who asked for it"),
        "ce_actedas": _text("The portal user as whom a member of staff asked for it", examples=["user/7b0c..."]),
        "traceparent": _text("W3C trace context"),
        "content-type": {"type": "string", "const": "application/json"},
    },
    "required": [
        *(*_CLOUD_EVENT, "ce_subject", "ce_time", "ce_sequence", "ce_streamversion", "ce_dataschema", "content-type")
    ],
}
ERP_HEADERS: dict[str, Any] = {
    "type": "object",
    "description": "CloudEvents 1.0: in binary mode all ce_ headers, in structured mode content-type alone.",
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": _text("The ERP's own id of the message"),
        "ce_type": _text("Which message it is", examples=["portico.erp.BillingEvent.v1"]),
        "ce_source": _text("The ERP", examples=["/erp/sap-isu"]),
        "traceparent": _text("W3C trace context"),
        "content-type": _text("The form", enum=["application/json", "application/cloudevents+json"]),
    },
}
REJECTED: dict[str, Any] = {
    "name": "portico.erp.rejected",
    "title": "Rejected",
    "summary": "A record of erp.in that could not be taken, byte for byte, with the reason in its headers.",
    "headers": {
        "type": "object",
        "description": "The headers of the original record, and beside them:",
        "properties": {
            "reject_code": _text("A stable code"),
            "reject_reason": _text("The reason, for people"),
            "reject_topic": _text("Where the original record stands"),
            "reject_partition": _text("Its partition", pattern="^[0-9]+$"),
            "reject_offset": _text("Its offset", pattern="^[0-9]+$"),
            "reject_time": _text("When it was rejected", format="date-time"),
            "reject_bytes": _text("`omitted` when the original was too large to be repeated"),
        },
    },
    "payload": {"description": "The original value, whatever it was"},
    "bindings": {"kafka": {"key": {"description": "The original key"}, "bindingVersion": "0.5.0"}},
}
SEAL: dict[str, Any] = {
    "name": "portico.seal",
    "title": "Seal",
    "summary": "The end of a shard's hash chain after a batch; a seal may be repeated.",
    "contentType": "application/json",
    "payload": {**plain_schema(Seal), "description": inspect.getdoc(Seal)},
    "bindings": {"kafka": {"key": {"type": "string", "description": "service/shard"}, "bindingVersion": "0.5.0"}},
}
