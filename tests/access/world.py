"""Two customers in a running Portico: one with everything that can be had, and one who tries to get at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chassis.auth import ROLES
from cli.stack.state import Record
from cli.story.cancellation import (
    Case,
    her_contract_shows_it,
    she_finds_the_action,
    she_goes_through_the_journey,
    staff_check,
)
from cli.story.registration import ambiguous_customer_identifies, known_customer_registers, prepare
from cli.story.stage import Actor, Place, Stage, set_up, until
from cli.story.utility import PORTAL
from cli.token import development_token
from tests.story.recorded import Recorded

UNKNOWN = "3f1c0e1a-8d0d-4a53-9d5c-0a64a1c37d11"


@dataclass(frozen=True)
class World:
    """`hers` are her ids by the name of a parameter, `marks` are texts that only she and staff may read."""

    services: dict[str, str]
    tokens: dict[str, str]
    hers: dict[str, dict[str, str]]
    marks: frozenset[str]


async def make_world(record: Record) -> World:
    """Plays the customer's story until she has an open task; the other one is signed in as well."""
    async with set_up(Place.of(record), Recorded()) as stage:
        scene = await prepare(stage)
        anna = await known_customer_registers(stage, scene)
        ben = await ambiguous_customer_identifies(stage, scene)
        case = Case(scene, anna)
        preview = await she_finds_the_action(stage, case)
        position = await she_goes_through_the_journey(stage, case, preview)
        case = await her_contract_shows_it(stage, case, position, preview)
        await staff_check(stage, case)
        hers, marks = await _what_is_hers(stage, case, anna, scene.staff)
    identity = record.services["identity"]
    tokens = {role: development_token(identity, role, contact=UNKNOWN, portal=PORTAL) for role in ROLES}
    return World(dict(record.services), {**tokens, "customer": ben.token}, hers, marks)


async def _what_is_hers(
    stage: Stage, case: Case, anna: Actor, staff: Actor
) -> tuple[dict[str, dict[str, str]], frozenset[str]]:
    """Her ids, by service where a name means different things (`*`: everywhere), and what nobody else may read."""
    contact_id, contract_id = case.scene.ids[case.scene.numbers["K-1001"]], case.scene.contract_id

    async def first(service: str, path: str, actor: Actor = staff) -> Any:
        async def found() -> Any:
            return next(iter((await stage.read(actor, service, path))["items"]), None)

        return await until(f"something at {service}{path}", found)

    user = await first("identity", f"/users?contact_id={contact_id}")
    submission = await first("journeys", f"/submissions?contact_id={contact_id}")
    document = await first("portal", "/documents", anna)
    notice = await first("portal", "/notices", anna)
    message = await first("notifications", f"/messages?contact_id={contact_id}")
    preview = await stage.read(anna, "billing", f"/contracts/{contract_id}/cancellation-preview")
    me = await stage.read(anna, "portal", "/me")
    everywhere = {
        "contract_id": contract_id,
        "contact_id": contact_id,
        "contact": contact_id,
        "record_id": contract_id,
        "record": contract_id,
        "user_id": user["user_id"],
        "person": f"contact/{contact_id}",
        "instance_id": case.instance_id,
        "step_id": "proof",
        "submission_id": submission["submission_id"],
        "file_id": document["file_id"],
        "notice_id": notice["notice_id"],
        "cancellation_id": preview["cancellation"]["cancellation_id"],
        "portal_id": PORTAL,
        "journey_id": "cancellation",
        "process_id": "cancellation",
        "process": "cancellation",
        "entity": "contract",
        "action": "cancel",
    }
    hers = {
        "*": everywhere,
        "entities": {"id": contract_id, "key": contract_id},
        "notifications": {"id": message["id"]},
    }
    told = {me["contact"][name] for name in ("email", "phone", "street", "last_name")}
    ids = {everywhere[name] for name in ("user_id", "file_id", "cancellation_id", "notice_id")}
    return hers, frozenset({*told, *ids, case.number, submission["reference"]})
