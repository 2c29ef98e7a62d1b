"""`/profile`: what is known of whoever is signed in, and what of it he may change by himself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.responses import Response

from gateway.api import Refused
from gateway.routing import Pages
from gateway.visit import Form, Visit

PREFIX = "value."
"""Before the names of attributes, so that none of them is taken for a field of the form itself."""
BOOLEANS = {"yes": True, "no": False}

pages = Pages("portal")


@pages.get("/profile")
async def profile(visit: Visit) -> Response:
    me = await visit.get("portal", "/me")
    changeable = {group["id"] for group in me["groups"] if any(_may_change(visit, group["attributes"]))}
    return visit.show("customer/profile.html", me=me, changeable=changeable)


@pages.get("/profile/{group}")
async def edit(visit: Visit) -> Response:
    group = await _group(visit)
    return visit.show("customer/profile_edit.html", group=group, prefix=PREFIX) if group else visit.not_found()


@pages.post("/profile/{group}")
async def changed(visit: Visit) -> Response:
    group = await _group(visit)
    if group is None or visit.who is None:
        return visit.not_found()
    values = _changes(group["attributes"], visit.form)
    try:
        if values:
            await visit.patch("entities", f"/records/contact/{visit.who.contact_id}", values)
    except Refused as refused:
        found = _at_attribute(refused)
        return visit.show("customer/profile_edit.html", found.status, refused=found, group=group, prefix=PREFIX)
    return visit.go("/profile", said="profile.saved" if values else None)


def _may_change(visit: Visit, attributes: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """What he may change here; whoever acts as him leaves his e-mail address alone."""
    return (each for each in attributes if each["editable"] and not (visit.acting and each["type"] == "email"))


async def _group(visit: Visit) -> dict[str, Any] | None:
    """The group of the address with what may be changed of it."""
    me = await visit.get("portal", "/me")
    for group in me["groups"]:
        if group["id"] == visit.path["group"] and (found := list(_may_change(visit, group["attributes"]))):
            return {**group, "attributes": found}
    return None


def _changes(attributes: Iterable[Mapping[str, Any]], form: Form) -> dict[str, Any]:
    """What is different now; an empty field takes the value away."""
    given = {each["name"]: _given(each, form) for each in attributes}
    return {each["name"]: given[each["name"]] for each in attributes if _differs(each["value"], given[each["name"]])}


def _given(attribute: Mapping[str, Any], form: Form) -> Any:
    name = PREFIX + attribute["name"]
    match attribute["type"]:
        case "choices":
            return form.all(name)
        case "boolean":
            return BOOLEANS.get(form[name])
        case _:
            return form[name] or None


def _differs(before: Any, after: Any) -> bool:
    if isinstance(before, list) or isinstance(after, list):
        return sorted(before or []) != sorted(after or [])
    shown = before if before is None or isinstance(before, bool) else str(before)
    return bool(shown != after)


def _at_attribute(refused: Refused) -> Refused:
    """The same refusal as a mistake of the field that it is about."""
    attribute = refused.facts.get("attribute")
    if attribute is None:
        return refused
    mistakes = [{"path": f"{PREFIX}{attribute}", "detail": refused.detail.removeprefix(f"{attribute}: ")}]
    return Refused(refused.status, {**refused.facts, "mistakes": mistakes})
