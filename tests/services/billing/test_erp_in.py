"""What the ERP sends arrives once and in order, waits for its contract, or is rejected with a reason: nothing stops."""

import asyncio
import json
import uuid
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from chassis.auth import Principal
from chassis.testing import eventually
from contracts.billing import BillingEventRecorded, InstalmentPlanSet
from contracts.erp import InstalmentDecision, InstalmentPlan
from contracts.ids import billing_event_id, record_id
from services.billing.erp import waiting
from tests.services.billing.conftest import SHARDS, World, bill, plan


async def records(world: World, topic: str) -> list[ConsumerRecord]:
    """Everything on a topic."""
    name = world.service.settings.topic(topic)
    partitions = [TopicPartition(name, number) for number in range(SHARDS)]
    found: list[ConsumerRecord] = []
    async with AIOKafkaConsumer(
        bootstrap_servers=world.service.settings.kafka_servers, auto_offset_reset="earliest"
    ) as consumer:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                batch = await consumer.getmany(partition, timeout_ms=1000)
                found.extend(record for own in batch.values() for record in own)
    return found


async def rejected(world: World, message_id: str) -> dict[str, Any]:
    """The listed reject of a message."""

    async def find() -> dict[str, Any]:
        page = (await world.client.get("/erp/rejects", headers=world.erp)).json()
        found = [item for item in page["items"] if item["message_id"] == message_id]
        assert len(found) <= 1
        return found[0] if found else {}

    return await eventually(find)


async def test_plans_and_billing_events_become_events_once(world: World) -> None:
    number, id_ = await world.contract(contact_id="contact-1")
    for message in (plan(number), bill(number), bill(number, status="closed", paid_on="2026-03-02")):
        message_id = await world.send(message)
        await world.send(message, message_id)
        await world.send(message)
    await world.taken_in()
    (plan_set,) = await world.history(f"instalments/{id_}")
    opened, paid = await world.history(f"billing_event/{billing_event_id(id_, 'B-1')}")
    assert isinstance(plan_set, InstalmentPlanSet)
    assert (plan_set.contract_number, plan_set.contact_id, plan_set.amount_cents) == (number, "contact-1", 10_000)
    assert isinstance(opened, BillingEventRecorded)
    assert isinstance(paid, BillingEventRecorded)
    assert (opened.status, paid.status) == ("open", "closed")
    (envelope,) = await world.service.streams.history(f"instalments/{id_}")
    assert (envelope.metadata.actor, (envelope.metadata.causation_id or "").partition("#")[0]) == ("erp", "/sap")


async def test_a_structured_message_without_headers_is_enough(world: World) -> None:
    number, id_ = await world.contract()
    event: dict[str, Any] = {"specversion": "1.0", "id": "s-1", "source": "/kcat", "type": InstalmentPlan.type}
    event["data"] = plan(number).model_dump(mode="json")
    await world.raw(number.encode(), json.dumps(event).encode(), {})
    await world.taken_in()
    assert len(await world.history(f"instalments/{id_}")) == 1


async def test_the_order_of_a_contract_is_kept(world: World) -> None:
    contracts = [await world.contract() for _ in range(3)]
    amounts = [5_000 + 100 * n for n in range(60)]
    for amount in amounts:
        await asyncio.gather(*(world.send(plan(number, amount)) for number, _ in contracts))
    await world.taken_in()
    for _, id_ in contracts:
        told = [event.amount_cents for event in await world.history(f"instalments/{id_}")]  # type: ignore[attr-defined]
        assert told == amounts


async def test_everything_sent_again_changes_nothing(world: World) -> None:
    number, id_ = await world.contract()
    for amount in (10_000, 12_000, 10_000):
        await world.send(plan(number, amount))
    await world.send(bill("unknown-yet"))
    await world.raw(number.encode(), b"{", {"ce_specversion": "1.0", "ce_id": "bad", "ce_source": "x", "ce_type": "y"})
    await world.taken_in()
    before = await world.service.log.heads()
    counts = "SELECT (SELECT count(*) FROM erp_rejects WHERE source IS NOT NULL), (SELECT count(*) FROM erp_waiting)"
    kept = await world.rows(counts)
    everything = await records(world, "erp.in")
    assert len(everything) > 5
    for record in everything:
        await world.producer.send_and_wait(
            record.topic, record.value, key=record.key, headers=list(record.headers), partition=record.partition
        )
    await world.taken_in()
    assert await world.service.log.heads() == before
    assert await world.rows(counts) == kept
    assert len(await world.history(f"instalments/{id_}")) == 3


async def test_what_does_not_fit_is_rejected_with_its_original_bytes(world: World) -> None:
    number, id_ = await world.contract()
    id_of_bad = uuid.uuid4().hex
    value = json.dumps({"contract": number, "amount_cents": -5, "note": "ä"}).encode()
    headers = {"ce_specversion": "1.0", "ce_id": id_of_bad, "ce_source": "/sap", "ce_type": InstalmentPlan.type}
    await world.raw(number.encode(), value, {**headers, "own": "thing"})
    await world.send(plan(number))
    await world.taken_in()
    assert len(await world.history(f"instalments/{id_}")) == 1
    listed = await rejected(world, id_of_bad)
    assert (listed["code"], listed["contract"], listed["size"]) == ("message_unfit", number, len(value))
    assert listed["reason"].startswith("The message does not fit the schema, at ")

    async def published() -> list[ConsumerRecord]:
        return [one for one in await records(world, "erp.rejects") if dict(one.headers)["ce_id"] == id_of_bad.encode()]

    (record,) = await eventually(published)
    assert (record.key, record.value) == (number.encode(), value)
    original = [(name, text.encode()) for name, text in {**headers, "own": "thing"}.items()]
    assert list(record.headers)[: len(original)] == original
    why = {name: raw.decode() for name, raw in list(record.headers)[len(original) :]}
    assert why["reject_code"] == "message_unfit"
    assert why["reject_reason"] == listed["reason"]
    assert why["reject_topic"] == world.service.settings.topic("erp.in")
    assert (int(why["reject_partition"]), int(why["reject_offset"])) == (listed["partition"], listed["offset"])


async def test_bytes_that_are_no_message_at_all(world: World) -> None:
    number, id_ = await world.contract()
    before = await world.rows("SELECT count(*) FROM erp_rejects WHERE key = %s", number.encode())
    for value in (b"\xff\xfe\x00", b"[" * 100_000, None, b"null", b"x" * 900_000):
        await world.raw(number.encode(), value, {})
    await world.send(plan(number))
    await world.taken_in()
    assert before == [(0,)]
    assert await world.rows("SELECT count(*) FROM erp_rejects WHERE key = %s", number.encode()) == [(5,)]
    assert len(await world.history(f"instalments/{id_}")) == 1

    async def all_published() -> bool:
        statement = "SELECT count(*) FROM erp_rejects WHERE published_at IS NULL"
        return await world.rows(statement) == [(0,)]

    await eventually(all_published)


async def test_what_the_rules_refuse_is_rejected(world: World) -> None:
    number, _ = await world.contract()
    decision = InstalmentDecision(contract=number, change_id="never-asked", decision="confirmed")
    message_id = await world.send(decision)
    listed = await rejected(world, message_id)
    assert (listed["code"], listed["source"]) == ("unknown_change", "/sap")
    german = {**world.erp, "Accept-Language": "de"}
    page = (await world.client.get("/erp/rejects", headers=german)).json()
    assert page["items"][0]["reason"] == "Eine offene Änderung never-asked gibt es für diesen Vertrag nicht."


async def test_rejects_are_paged_and_not_for_customers(world: World) -> None:
    for _ in range(3):
        await world.raw(b"k", b"{", {})
    await world.taken_in()
    first = (await world.client.get("/erp/rejects?limit=2", headers=world.erp)).json()
    assert len(first["items"]) == 2
    second = (await world.client.get(f"/erp/rejects?limit=2&before={first['next_before']}", headers=world.erp)).json()
    ids = [item["id"] for item in first["items"] + second["items"]]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == len(ids) >= 3
    assert (await world.client.get("/erp/rejects", headers=world.customer("c"))).status_code == 403


async def test_messages_wait_for_their_contract(world: World) -> None:
    number = uuid.uuid4().hex[:8]
    for amount in (10_000, 11_000, 12_000):
        await world.send(plan(number, amount))
    await world.taken_in()
    id_ = record_id("contract", number)
    assert await world.history(f"instalments/{id_}") == []
    listed = (await world.client.get("/erp/waiting", headers=world.erp)).json()["items"]
    assert [item["messages"] for item in listed if item["contract"] == number] == [3]
    await world.contract(number)
    await world.send(plan(number, 13_000))

    async def applied() -> bool:
        return len(await world.history(f"instalments/{id_}")) == 4

    await eventually(applied, 20)
    told = [event.amount_cents for event in await world.history(f"instalments/{id_}")]  # type: ignore[attr-defined]
    assert told == [10_000, 11_000, 12_000, 13_000]
    assert not await world.rows("SELECT FROM erp_waiting WHERE contract = %s", number)


async def test_a_waiting_message_that_does_not_fit_is_rejected_when_its_turn_comes(world: World) -> None:
    number = uuid.uuid4().hex[:8]
    message_id = await world.send(
        InstalmentDecision(contract=number, change_id="x", decision="refused", reason="No such thing")
    )
    await world.send(plan(number))
    await world.taken_in()
    _, id_ = await world.contract(number)
    assert (await rejected(world, message_id))["code"] == "unknown_change"
    assert len(await world.history(f"instalments/{id_}")) == 1


async def test_not_more_than_so_many_wait_for_a_contract(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MAXIMUM_A_CONTRACT", 2)
    number = uuid.uuid4().hex[:8]
    await world.send(plan(number, 10_000))
    await world.send(plan(number, 11_000))
    too_many = await world.send(plan(number, 12_000))
    assert (await rejected(world, too_many))["code"] == "too_many_waiting"
    assert await world.rows("SELECT count(*) FROM erp_waiting WHERE contract = %s", number) == [(2,)]


async def test_the_same_over_http(world: World) -> None:
    number, id_ = await world.contract()
    body = plan(number).model_dump(mode="json")
    keyed = {**world.erp, "Idempotency-Key": "erp-77"}
    for _ in range(2):
        answer = await world.client.post("/erp/instalment-plans", json=body, headers=keyed)
        assert answer.status_code == 202
        assert answer.json() == {"message_ids": ["erp-77"], "source": "/erp/sap"}
    bills = [bill(number, f"B-{n}").model_dump(mode="json") for n in range(5)]
    for _ in range(2):
        listed = await world.client.post(
            "/erp/billing-events", json=bills, headers={**world.erp, "Idempotency-Key": "batch-1"}
        )
        assert listed.json()["message_ids"] == [f"batch-1/{n}" for n in range(1, 6)]
    await world.taken_in()
    assert len(await world.history(f"instalments/{id_}")) == 1
    for n in range(5):
        (recorded,) = await world.history(f"billing_event/{billing_event_id(id_, f'B-{n}')}")
        assert recorded.external_id == f"B-{n}"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "body", [{}, [], {"items": []}, [1], [{}], {"contract": "1", "amount_cents": 1.5}, {"contract": "x", "extra": 1}, 7]
)
async def test_what_does_not_fit_is_refused_over_http(world: World, body: object) -> None:
    answer = await world.client.post("/erp/billing-events", json=body, headers=world.erp)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_only_an_erp_may_write(world: World) -> None:
    for path in ("instalment-plans", "billing-events", "instalment-decisions"):
        for headers, status in (
            ({}, 401),
            (world.customer("c"), 403),
            (world.as_(Principal("staff", "s")), 403),
        ):
            answer = await world.client.post(f"/erp/{path}", json=[], headers=headers)
            assert answer.status_code == status
