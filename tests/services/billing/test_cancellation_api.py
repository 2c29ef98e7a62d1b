"""A customer cancels his contract by HTTP or by a journey, staff confirm, and time ends it; on real servers."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from chassis.auth import Principal
from chassis.testing import eventually
from contracts.billing import (
    CancellationConfirmed,
    CancellationRefused,
    CancellationRequested,
    CancellationWithdrawn,
    ContractTerminated,
)
from contracts.entities import EntityChanged, EntityCreated
from contracts.ids import record_id
from contracts.journeys import CancelContractEffect, JourneySubmitted, MailEffect, RecordRef
from contracts.processes import ActionRequested
from tests.services.billing.conftest import World

STAFF = Principal("staff", "staff/1")


async def contract(world: World, number: str, contact_id: str | None = "contact-1", **attributes: Any) -> str:
    id_ = record_id("contract", number)
    await world.say(
        f"contract/{id_}",
        EntityCreated(
            entity="contract",
            id=id_,
            external_id=number,
            person=None,
            attributes={"status": "active", **attributes},
            personal={},
            relations={"holder": (contact_id,)} if contact_id else {},
        ),
    )

    async def known() -> bool:
        return bool(await world.rows("SELECT FROM view_contract_terms_v1 WHERE key = %s", id_))

    await eventually(known)
    return id_


async def preview(world: World, id_: str, query: str = "", **headers: str) -> Any:
    path = f"/contracts/{id_}/cancellation-preview{query}"
    answer = await world.client.get(path, headers={**world.customer("contact-1"), **headers})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def cancel(world: World, id_: str, body: dict[str, Any], **headers: str) -> Any:
    path = f"/contracts/{id_}/cancellations"
    return await world.client.post(path, json=body, headers={**world.customer("contact-1"), **headers})


async def decide(world: World, id_: str, cancellation_id: str, what: str, body: Any = None, **headers: str) -> Any:
    path = f"/contracts/{id_}/cancellations/{cancellation_id}/{what}"
    return await world.client.post(path, json=body, headers=world.as_(STAFF) | headers)


async def events(world: World, id_: str, count: int) -> list[Any]:
    async def there() -> list[Any]:
        found = await world.history(f"cancellation/{id_}")
        return found if len(found) >= count else []

    return await eventually(there)


async def test_a_preview_names_day_term_and_law(world: World) -> None:
    id_ = await contract(world, "C-1", starts_on="2025-01-01", initial_term_months=24, price_change_on="2026-05-01")
    shown = await preview(world, id_, **{"Accept-Language": "de"})
    assert shown["next_possible"] == {
        "ends_on": "2026-12-31",
        "basis": "initial_term",
        "notice": "P1M",
        "explanation": "Zum Ende der vereinbarten Laufzeit am 31.12.2026, mit einer Frist von 1 Monat.",
    }
    assert (shown["refusal"], shown["cancellation"], shown["initial_term_ends_on"]) == (None, None, "2026-12-31")
    assert {ground: each["ends_on"] for ground, each in shown["grounds"].items()} == {
        "ordinary": "2026-12-31",
        "moving_out": "2026-04-21",
        "price_change": "2026-04-30",
    }
    assert shown["grounds"]["moving_out"]["explanation"].endswith("eine Frist von 6 Wochen: zum 21.04.2026.")
    early = await preview(world, id_, "?ends_on=2026-06-30")
    assert (early["wished"]["ends_on"], early["refusal"]["code"]) == ("2026-12-31", "before_next_possible_date")
    assert early["refusal"]["facts"]["next_possible_on"] == "2026-12-31"
    moving = await preview(world, id_, "?ends_on=2026-06-30&ground=moving_out")
    assert (moving["wished"]["ends_on"], moving["refusal"]) == ("2026-06-30", None)


async def test_a_cancellation_from_the_wish_to_the_last_day(world: World) -> None:
    id_ = await contract(world, "C-2")
    answer = await cancel(world, id_, {"reason": "moving"}, **{"Idempotency-Key": "c-2"})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["status"], body["ends_on"], body["basis"]) == ("requested", "2026-04-10", "open_ended")
    assert (answer.headers["etag"], answer.headers["portico-position"][:8]) == ('"1"', "billing/")
    again = await cancel(world, id_, {"reason": "moving"}, **{"Idempotency-Key": "c-2"})
    assert again.json() == body
    other = await cancel(world, id_, {})
    assert (other.status_code, other.json()["code"]) == (409, "already_in_cancellation")
    assert "10 Apr 2026" in other.json()["detail"]
    assert (await preview(world, id_))["cancellation"]["status"] == "requested"
    for _ in range(2):
        confirmed = await decide(world, id_, body["cancellation_id"], "confirm")
        assert (confirmed.status_code, confirmed.json()["status"]) == (200, "confirmed")
    timers = world.service.timers
    await timers.fire_all(datetime(2026, 4, 10, 21, 59, tzinfo=UTC), world.service._timers_set)
    assert len(await world.history(f"cancellation/{id_}")) == 2
    await timers.fire_all(datetime(2026, 4, 10, 22, 0, tzinfo=UTC), world.service._timers_set)
    first, second, third = await events(world, id_, 3)
    assert isinstance(first, CancellationRequested)
    assert (first.reason, first.contract_number, first.contact_id, first.portal_id) == (
        *("moving", "C-2", "contact-1", "customers"),
    )
    assert isinstance(second, CancellationConfirmed)
    assert isinstance(third, ContractTerminated)
    assert third.ends_on == date(2026, 4, 10)
    assert (await cancel(world, id_, {})).json()["code"] == "contract_terminated"
    shown = await preview(world, id_)
    assert (shown["refusal"]["code"], shown["cancellation"]["status"]) == ("contract_terminated", "terminated")


async def test_a_withdrawn_cancellation_ends_nothing(world: World) -> None:
    id_ = await contract(world, "C-3")
    cancellation_id = (await cancel(world, id_, {})).json()["cancellation_id"]
    await decide(world, id_, cancellation_id, "confirm")
    for _ in range(2):
        key, reason = {"Idempotency-Key": "w-1"}, {"reason": "Stays with us"}
        withdrawn = await decide(world, id_, cancellation_id, "withdraw", reason, **key)
        assert (withdrawn.status_code, withdrawn.json()["status"]) == (200, "withdrawn")
    await world.service.timers.fire_all(datetime(2027, 1, 1, tzinfo=UTC), world.service._timers_set)
    assert isinstance((await world.history(f"cancellation/{id_}"))[-1], CancellationWithdrawn)
    assert (await cancel(world, id_, {})).status_code == 201
    assert (await decide(world, id_, cancellation_id, "confirm")).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"ends_on": "2026-03-09"}, 409, "cancellation_in_past"),
        ({"ends_on": "2026-04-09"}, 409, "before_next_possible_date"),
        ({"ends_on": "2199-01-01"}, 409, "cancellation_too_far"),
        ({"ground": "price_change"}, 409, "no_price_change"),
        ({"ground": "boredom"}, 422, "invalid_request"),
        ({"reason": "Because I, Anna, want to"}, 422, "invalid_request"),
        ({"end": "2026-05-01"}, 422, "invalid_request"),
    ],
)
async def test_refusals(world: World, body: dict[str, Any], status: int, code: str) -> None:
    id_ = await contract(world, f"C-4-{code}-{len(str(body))}")
    answer = await cancel(world, id_, body, **{"Accept-Language": "de"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "{" not in answer.json()["detail"]
    assert await world.history(f"cancellation/{id_}") == []


async def test_terms_may_change_until_somebody_cancels(world: World) -> None:
    id_ = await contract(world, "C-5", notice="soon")
    assert (await cancel(world, id_, {})).json()["code"] == "contract_terms_unknown"
    change = {"notice": "P2W", "status": "active"}
    changed = EntityChanged(entity="contract", id=id_, external_id="C-5", person=None, attributes=change, personal={})
    await world.say(f"contract/{id_}", changed)

    async def understood() -> bool:
        return (await preview(world, id_))["refusal"] is None

    await eventually(understood)
    assert (await cancel(world, id_, {})).json()["notice"] == "P14D"


async def test_a_foreign_contract_is_like_none(world: World) -> None:
    id_ = await contract(world, "C-6", "contact-2")
    nobodys = await contract(world, "C-7", None)
    draft = await contract(world, "C-8", status="draft")
    for foreign in (id_, nobodys, "nothing"):
        assert (await cancel(world, foreign, {})).status_code == 404
        path = f"/contracts/{foreign}/cancellation-preview"
        assert (await world.client.get(path, headers=world.customer("contact-1"))).status_code == 404
    for what, body in (("confirm", None), ("withdraw", {"reason": "x"})):
        path = f"/contracts/{id_}/cancellations/c/{what}"
        assert (await world.client.post(path, json=body, headers=world.customer("contact-2"))).status_code == 403
        assert (await world.client.post(path, json=body, headers=world.as_(STAFF))).status_code == 404
    assert (await cancel(world, draft, {})).json()["code"] == "contract_not_active"
    by_staff = await world.client.post(f"/contracts/{nobodys}/cancellations", json={}, headers=world.as_(STAFF))
    assert by_staff.status_code == 201


def submitted(number: int, *effects: CancelContractEffect | MailEffect, contact_id: str | None) -> JourneySubmitted:
    return JourneySubmitted(
        submission_id=f"s-{number}",
        reference="7K3F-9QXM",
        journey_id="cancellation",
        journey_version=1,
        portal_id="customers",
        language="de",
        user_id="u-1",
        contact_id=contact_id,
        context=None,
        action="cancel",
        task=None,
        person="contact/contact-1",
        answers={},
        mapped={},
        email=None,
        files=(),
        effects=effects,
    )


async def test_a_submission_cancels_and_is_answered_in_any_case(world: World) -> None:
    id_ = await contract(world, "C-9")
    other = await contract(world, "C-10", "contact-2")
    wanted = CancelContractEffect(contract_id=id_, ends_on=date(2026, 6, 30))
    foreign = CancelContractEffect(contract_id=other, ends_on=None)
    unknown = CancelContractEffect(contract_id="nothing", ends_on=None)
    mail = MailEffect(template="receipt")
    await world.say("submission/1", submitted(1, mail, wanted, foreign, unknown, contact_id="contact-1"))
    (asked,) = await events(world, id_, 1)
    assert isinstance(asked, CancellationRequested)
    assert (asked.submission_id, asked.effect, asked.ends_on) == ("s-1", 1, date(2026, 6, 30))
    for stranger, effect in ((other, 2), ("nothing", 3)):
        (refused,) = await events(world, stranger, 1)
        assert isinstance(refused, CancellationRefused)
        assert (refused.submission_id, refused.effect, refused.code) == ("s-1", effect, "not_found")
    again = CancelContractEffect(contract_id=id_, ends_on=None, extraordinary=True)
    await world.say("submission/2", submitted(2, again, contact_id="contact-1"))
    _, refused = await events(world, id_, 2)
    assert (refused.code, refused.submission_id) == ("already_in_cancellation", "s-2")

    step = {"instance_id": "i-1", "process_id": "cancellation", "step_id": "confirmed"}
    await world.say(
        "process/i-1",
        ActionRequested(
            **step,
            record=RecordRef(entity="contract", id=id_),
            action=0,
            kind="confirm_cancellation",
            parameters={},
            contact_id="contact-1",
            portal_id="customers",
        ),
    )
    *_, confirmed = await events(world, id_, 3)
    assert isinstance(confirmed, CancellationConfirmed)
    assert confirmed.ends_on == date(2026, 6, 30)
