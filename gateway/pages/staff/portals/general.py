"""`/portals/{id}/general`: names, address, who may register, who may frame it, and the limits of instalments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from gateway.pages.staff.portals.document import (
    Document,
    Opened,
    cents,
    keep,
    names,
    open_portal,
    read_schemas,
    show,
    side_by_side,
    whole,
)
from gateway.routing import Pages
from gateway.visit import Form, Refused, Visit

pages = Pages("staff")
IDENTIFYING = ("contact", "contract")
LIMITS = ("down_percent", "up_percent", "minimum_cents", "days_before_due", "once_per_days")
OVERDUE = "not_while_overdue"
NO_LIMIT = "–"


@pages.get("/portals/{portal_id}/general")
async def general(visit: Visit) -> Response:
    return await _page(visit, await open_portal(visit))


@pages.post("/portals/{portal_id}/general")
async def change(visit: Visit) -> Response:
    portal, schemas = await side_by_side(open_portal(visit), read_schemas(visit))
    divisions = [division for division, _ in divisions_of(schemas, portal.document)]

    async def again(typed: Opened, refused: Refused) -> Response:
        return await _page(visit, typed, refused)

    return await keep(visit, portal, typed_part(visit.form, divisions), to="/general", again=again)


async def _page(visit: Visit, portal: Opened, refused: Refused | None = None) -> Response:
    schemas = await read_schemas(visit)
    identifying = [
        (schema, [(f"{schema['entity']}.{name}", described) for name, described in schema["attributes"].items()])
        for schema in schemas
        if schema["entity"] in IDENTIFYING
    ]
    return show(
        visit,
        "general",
        portal,
        refused=refused,
        identifying=identifying,
        divisions=divisions_of(schemas, portal.document),
        limits=LIMITS,
    )


def divisions_of(schemas: Sequence[Document], document: Document) -> list[tuple[str, dict[str, str]]]:
    """The divisions that a contract can have, and those that the portal names: (value, label)."""
    contract: Document = next((schema for schema in schemas if schema["entity"] == "contract"), {"attributes": {}})
    options = contract["attributes"].get("division", {}).get("options", {})
    labels = dict(options) if isinstance(options, dict) else {each: {"de": each, "en": each} for each in options}
    named = document["instalments"]["by_contract_type"]
    return [*labels.items(), *((name, {"de": name, "en": name}) for name in named if name not in labels)]


def typed_part(form: Form, divisions: Sequence[str]) -> Document:
    """The tab's part of the document as it was typed."""
    instalments: dict[str, Any] = {name: _limit(name, form.get(f"instalments.{name}")) for name in LIMITS}
    instalments[OVERDUE] = OVERDUE in form.all("instalments.switches")
    overrides = {division: _override(form, f"instalments.by_contract_type.{division}") for division in divisions}
    instalments["by_contract_type"] = {division: rules for division, rules in overrides.items() if rules}
    return {
        "name": names(form, "name"),
        "url": form["url"],
        "audience": form["audience"],
        "enabled": "enabled" in form,
        "registration": {
            "open": "registration.open" in form,
            "assign_by": form["registration.assign_by"],
            "second_identification": form.all("registration.second_identification"),
            "unknown": form["registration.unknown"],
        },
        "embed": form["embed"].split(),
        "instalments": instalments,
    }


def _override(form: Form, name: str) -> dict[str, Any]:
    """What differs in a division: nothing typed is as in all others, a dash is no limit."""
    typed = {limit: form.get(f"{name}.{limit}") for limit in LIMITS}
    rules = {limit: _limit(limit, "" if text in {NO_LIMIT, "-"} else text) for limit, text in typed.items() if text}
    overdue = form.get(f"{name}.{OVERDUE}")
    return rules | ({OVERDUE: overdue == "yes"} if overdue else {})


def _limit(name: str, text: str) -> int | str | None:
    if name == "minimum_cents":
        return cents(text) if text else 0
    return whole(text)
