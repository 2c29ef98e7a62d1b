"""The same way in over HTTP, for an ERP that does not write to Kafka; and what became of messages that did not fit."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, Discriminator, Field, Tag

from chassis.auth import Principal, allow
from chassis.bus import Headers, Topics
from chassis.database import Pool
from chassis.telemetry import traceparent
from chassis.texts import Texts, language_of
from contracts.envelope import CONTENT_TYPE
from contracts.erp import BillingEvent, ErpMessage, InstalmentDecision, InstalmentPlan
from services.billing.erp.messages import SPECVERSION
from services.billing.erp.rejects import Reject, latest
from services.billing.erp.waiting import Waiting, by_contract

TOPIC = "erp.in"
MAXIMUM_MESSAGES = 1_000
MAXIMUM_PAGE = 200

M = TypeVar("M", bound=ErpMessage)


def _shape(body: Any) -> str:
    return "list" if isinstance(body, list) else "message"


OneOrMany = Annotated[
    Annotated[M, Tag("message")] | Annotated[list[M], Field(min_length=1, max_length=MAXIMUM_MESSAGES), Tag("list")],
    Discriminator(_shape),
]
MessageId = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,150}$",
        description="The ERP's own id of the message: sent again with the same id, it is not applied again. "
        "Of several messages in one request the n-th has the id `KEY/n`, from 1.",
    ),
]
Erp = Annotated[Principal, Depends(allow("erp"))]
Reader = Annotated[Principal, Depends(allow("erp", "operator", "staff"))]


class Accepted(BaseModel):
    """The messages are on the topic; what becomes of them shows in events or in `GET /erp/rejects`."""

    message_ids: list[str]
    source: str = Field(description="With it an id is unique")


class RejectPage(BaseModel):
    """Rejected messages, the newest first."""

    items: list[Reject]
    next_before: int | None = Field(description="`before` of the next page; null on the last one")


class WaitingList(BaseModel):
    """Contracts that messages wait for, the longest waiting first."""

    items: list[Waiting]


def router(topics: Topics, pool: Pool, texts: Texts) -> APIRouter:
    """Everything below /erp."""
    api = APIRouter(prefix="/erp", tags=["ERP"])

    async def take_in(body: M | list[M], principal: Principal, key: str | None) -> Accepted:
        key = key or str(uuid.uuid4())
        messages = {f"{key}/{n}": one for n, one in enumerate(body, 1)} if isinstance(body, list) else {key: body}
        source = f"/erp/{principal.subject}"
        await _publish(topics, source, messages)
        return Accepted(message_ids=list(messages), source=source)

    @api.post("/instalment-plans", status_code=202)
    async def instalment_plans(body: OneOrMany[InstalmentPlan], principal: Erp, key: MessageId = None) -> Accepted:
        """Plans in force, each with its full forward schedule."""
        return await take_in(body, principal, key)

    @api.post("/billing-events", status_code=202)
    async def billing_events(body: OneOrMany[BillingEvent], principal: Erp, key: MessageId = None) -> Accepted:
        """Billing events as they stand now."""
        return await take_in(body, principal, key)

    @api.post("/instalment-decisions", status_code=202)
    async def decisions(body: OneOrMany[InstalmentDecision], principal: Erp, key: MessageId = None) -> Accepted:
        """Answers to changes that customers asked for."""
        return await take_in(body, principal, key)

    @api.get("/rejects")
    async def rejects(
        request: Request,
        _: Reader,
        before: Annotated[int | None, Query(ge=1, description="Only those with a lower id")] = None,
        limit: Annotated[int, Query(ge=1, le=MAXIMUM_PAGE)] = 50,
    ) -> RejectPage:
        """Messages that did not parse or fit, with the reason. The original bytes are on the topic erp.rejects."""
        language = language_of(request.headers.get("accept-language"))
        found = await latest(pool, texts, language, before, limit + 1)
        more = len(found) > limit
        return RejectPage(items=list(found[:limit]), next_before=found[limit - 1].id if more else None)

    @api.get("/waiting")
    async def waiting(_: Reader) -> WaitingList:
        """Messages for contracts that are not known yet."""
        return WaitingList(items=await by_contract(pool))

    return api


async def _publish(topics: Topics, source: str, messages: Mapping[str, ErpMessage]) -> None:
    """Publishes at once what belongs to different contracts, and one after the other what belongs to the same."""
    by_number: dict[str, list[tuple[str, ErpMessage]]] = {}
    for id_, message in messages.items():
        by_number.setdefault(message.contract, []).append((id_, message))
    trace = traceparent()

    async def publish_in_order(number: str, own: Sequence[tuple[str, ErpMessage]]) -> None:
        for id_, message in own:
            headers = _headers(source, id_, message, trace)
            await topics.publish(TOPIC, number.encode(), message.model_dump_json().encode(), headers)

    await asyncio.gather(*(publish_in_order(number, own) for number, own in by_number.items()))


def _headers(source: str, id_: str, message: ErpMessage, trace: str | None) -> Headers:
    attributes = {
        "ce_specversion": SPECVERSION,
        "ce_id": id_,
        "ce_source": source,
        "ce_type": message.type,
        "ce_subject": message.contract,
        "ce_time": datetime.now(UTC).isoformat(),
    }
    encoded = [(name, value.encode()) for name, value in attributes.items()]
    return [*encoded, *([("traceparent", trace.encode())] if trace else []), ("content-type", CONTENT_TYPE)]
