"""Actions, links and permissions of a portal: rules as rows, order, and levels by group."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.pages.staff.portals.permissions import groups_of, permission_of
from gateway.pages.staff.portals.rules import Row, conditions_of, moved, rows_of
from tests.gateway.pages.settings_world import CONTACT, PORTAL, SCHEMAS, portal, staff, world_with_portal, written
from tests.gateway.world import soup, words

TITLE = {"title.de": "Vertrag kündigen", "title.en": "Cancel contract"}
ACTION = {"seen": '"4"', **TITLE, "journey": "cancellation", "place": "contract"}


@pytest.mark.parametrize(
    ("condition", "row"),
    [
        ({"contract.status": {"is": "active"}}, Row("contract.status", "choice", "among", values=("active",))),
        ({"contract.status": {"is_not": "draft"}}, Row("contract.status", "choice", "not_among", values=("draft",))),
        (
            {"contract.status": {"one_of": ["active", "draft"]}},
            Row("contract.status", "choice", "among", values=("active", "draft")),
        ),
        (
            {"not": {"contract.status": {"one_of": ["active", "draft"]}}},
            Row("contract.status", "choice", "not_among", values=("active", "draft")),
        ),
        ({"contract.starts_on": {"before": "today"}}, Row("contract.starts_on", "date", "before")),
        (
            {"contract.starts_on": {"after": "2027-01-31"}},
            Row("contract.starts_on", "date", "after", "2027-01-31", day="date"),
        ),
        ({"contract.starts_on": {"exists": False}}, Row("contract.starts_on", "date", "empty")),
        ({"contract.initial_term_months": {"less": 12}}, Row("contract.initial_term_months", "number", "less", "12")),
        ({"contract.basic_supply": {"is": True}}, Row("contract.basic_supply", "boolean", "true")),
        ({"contact.divisions": {"contains": "gas"}}, Row("contact.divisions", "choices", "contains", "gas")),
        ({"contract.product": {"contains": "Fix"}}, Row("contract.product", "text", "contains", "Fix")),
        ({"lamp.code": {"is": "7"}}, Row("lamp.code", "text", "is", "7")),
    ],
)
def test_a_condition_is_a_row_and_the_row_the_same_condition(condition: dict[str, Any], row: Row) -> None:
    assert rows_of([condition], SCHEMAS) == [row]
    assert conditions_of([row]) == [condition]


@pytest.mark.parametrize(
    "condition",
    [
        {"any": [{"contract.status": {"is": "active"}}, {"contract.basic_supply": {"is": True}}]},
        {"not": {"contract.starts_on": {"before": "today"}}},
        {"contract.starts_on": {"before": "now"}},
        {"contract.initial_term_months": {"is": "12"}},
        {"contract.basic_supply": {"is_not": True}},
    ],
)
def test_what_has_no_row_is_code_and_not_lost(condition: dict[str, Any]) -> None:
    rows = rows_of([condition], SCHEMAS)
    assert [row.type for row in rows] == ["code"]
    assert conditions_of(rows) == [condition]


def test_what_is_typed_wrongly_goes_to_the_api_as_it_is() -> None:
    assert conditions_of([Row("contract.initial_term_months", "number", "less", "viel")]) == [
        {"contract.initial_term_months": {"less": "viel"}}
    ]
    assert conditions_of([Row("", "code", value="{no")]) == ["{no"]


def test_moving_stays_inside_the_list() -> None:
    assert moved(["a", "b", "c"], 1, -1) == ["b", "a", "c"]
    assert moved(["a", "b", "c"], 0, -1) == ["a", "b", "c"]
    assert moved(["a", "b", "c"], 2, 1) == ["a", "b", "c"]


async def test_actions_are_told_in_words() -> None:
    async with staff(world_with_portal()) as browser:
        page = await browser.get(f"{PORTAL}/actions")
        assert "Wird gezeigt, wenn gilt: Status ist Aktiv und Beginn liegt vor heute." in words(page)
    async with staff(world_with_portal(), "en") as browser:
        page = await browser.get(f"{PORTAL}/actions/cancel")
        assert "Shown when Status is Active and Start is before today." in words(page)


async def test_rules_are_added_and_removed_by_buttons_and_nothing_is_kept_meanwhile() -> None:
    world = world_with_portal()
    rows = {
        "rules.0.path": "contract.status",
        "rules.0.test": "among",
        "rules.0.values": ["active", "draft"],
        "rules.1.path": "contract.starts_on",
        "rules.1.test": "after",
        "rules.1.day": "date",
        "rules.1.value": "2027-01-31",
    }
    async with staff(world) as browser:
        more = await browser.post(
            f"{PORTAL}/actions/cancel", {**ACTION, **rows, "do": "add", "add": "contract.initial_term_months"}
        )
        found = soup(more)
        assert [str(each["value"]) for each in found.select("input[name^='rules.'][name$='.path']")] == [
            "contract.status",
            "contract.starts_on",
            "contract.initial_term_months",
        ]
        assert len(found.select("input[name='rules.0.values'][checked]")) == 2
        fewer = soup(await browser.post(f"{PORTAL}/actions/cancel", {**ACTION, **rows, "do": "without:0"}))
        assert [str(each["value"]) for each in fewer.select("input[name$='.path']")] == ["contract.starts_on"]
        assert not world.calls_to("PUT", "portal", PORTAL)
        done = await browser.post(f"{PORTAL}/actions/cancel", {**ACTION, **rows, "do": "save"})
        assert done.headers["location"] == f"{PORTAL}/actions"
    assert written(world)["actions"] == [
        {
            "id": "cancel",
            "title": {"de": "Vertrag kündigen", "en": "Cancel contract"},
            "journey": "cancellation",
            "place": "contract",
            "when": [
                {"contract.status": {"one_of": ["active", "draft"]}},
                {"contract.starts_on": {"after": "2027-01-31"}},
            ],
        }
    ]


async def test_a_mistake_stands_at_its_rule() -> None:
    world = world_with_portal()
    mistakes = [{"path": "actions.0.when.0.contract.initial_term_months.less", "detail": "Hier gehört eine Zahl hin."}]
    world.refuse("PUT", "portal", PORTAL, 422, "invalid_document", mistakes=mistakes)
    rule = {
        "rules.0.path": "contract.initial_term_months",
        "rules.0.test": "less",
        "rules.0.value": "viel",
    }
    async with staff(world) as browser:
        page = await browser.post(f"{PORTAL}/actions/cancel", {**ACTION, **rule, "do": "save"})
    found = soup(page).select_one(".rule.field-wrong")
    assert found is not None
    assert "Hier gehört eine Zahl hin." in found.get_text()
    assert found.select_one("input[value=viel]") is not None


async def test_a_new_action_comes_last_and_order_is_changed_by_buttons() -> None:
    world = world_with_portal()
    async with staff(world) as browser:
        await browser.post(f"{PORTAL}/actions/new", {**ACTION, "title.de": "Neu", "do": "save"})
        assert [each["title"]["de"] for each in written(world)["actions"]] == ["Vertrag kündigen", "Neu"]
    two = [*portal()["actions"], {**portal()["actions"][0], "id": "second"}]
    world = world_with_portal(actions=two)
    async with staff(world) as browser:
        await browser.post(f"{PORTAL}/actions", {"seen": '"4"', "do": "up:second"})
        assert [each["id"] for each in written(world)["actions"]] == ["second", "cancel"]
        asked = await browser.get(f"{PORTAL}/actions/second/remove")
        assert "entfernen?" in words(asked)
        await browser.post(f"{PORTAL}/actions/second/remove", {"seen": '"4"'})
        assert [each["id"] for each in written(world)["actions"]] == ["cancel"]


async def test_a_link_names_the_journey_to_which_it_leads() -> None:
    link = {"id": "call", "title": {"de": "Anruf", "en": "Call"}, "to": "journey:call_me", "place": None, "when": []}
    world = world_with_portal(links=[link])
    async with staff(world) as browser:
        assert "Journey: Rückruf call_me" in words(await browser.get("/portals/customers/links"))
        world.away.add("journeys")
        assert "Journey call_me" in words(await browser.get("/portals/customers/links"))


async def test_a_link_leads_to_an_address_or_to_a_public_journey() -> None:
    world = world_with_portal()
    link = {"seen": '"4"', **TITLE, "to": "https://example.org", "journey": "call_me", "place": "", "do": "save"}
    async with staff(world) as browser:
        page = soup(await browser.get(f"{PORTAL}/links/outage"))
        assert [str(each["value"]) for each in page.select("select[name=journey] option")] == ["", "call_me"]
        await browser.post(f"{PORTAL}/links/outage", {**link, "leads": "address"})
        first = written(world)["links"][0]
        assert (first["id"], first["to"], first["place"]) == ("outage", "https://example.org", None)
        await browser.post(f"{PORTAL}/links/new", {**link, "leads": "journey"})
        assert written(world)["links"][1]["to"] == "journey:call_me"


@pytest.mark.parametrize(
    "permission",
    [
        {"see": ["general", "reach", "nickname"], "change": ["phone"]},
        {"see": ["general"], "change": ["general"]},
        {"see": ["email"], "change": []},
        {"see": ["general", "email", "phone"], "change": ["phone"]},
        {"see": [], "change": []},
    ],
)
def test_levels_say_the_same_as_the_permission(permission: dict[str, list[str]]) -> None:
    contact = CONTACT
    groups = groups_of(contact, permission)
    levels = {f"group.{group.id}": group.level for group in groups if group.id}
    levels |= {line.name: line.level for group in groups for line in group.lines}
    again = permission_of(contact, permission, lambda name, _: levels[name])
    named = {name: group["attributes"] for name, group in contact["groups"].items()}
    for kind in ("see", "change"):
        assert _all(again[kind], named) == _all(permission[kind], named)


def _all(names: list[str], groups: dict[str, list[str]]) -> set[str]:
    return {attribute for name in names for attribute in groups.get(name, [name])}


async def test_permissions_are_set_by_group_and_by_attribute_and_unknown_names_stay() -> None:
    known = {"contact": {"see": ["general", "reach", "loyalty"], "change": ["phone"]}}
    world = world_with_portal(permissions=known)
    async with staff(world) as browser:
        page = soup(await browser.get(f"{PORTAL}/permissions"))
        chosen = {str(each["name"]): str(each["value"]) for each in page.select("input[type=radio][checked]")}
        assert (chosen["contact.group.reach"], chosen["contact.phone"], chosen["contact.email"]) == (
            "visible",
            "editable",
            "group",
        )
        assert chosen["contract.group.general"] == "hidden"
        await browser.post(
            f"{PORTAL}/permissions",
            {"seen": '"4"', **chosen, "contact.group.general": "hidden", "contact.phone": "hidden"},
        )
    assert written(world)["permissions"] == {"contact": {"see": ["email", "loyalty"], "change": []}}
