"""`/portals/{id}/permissions`: what users see and change, by groups of an entity, and where it differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from gateway.pages.staff.portals.document import Document, Opened, keep, open_portal, read_schemas, show, side_by_side
from gateway.routing import Pages
from gateway.visit import Refused, Visit

pages = Pages("staff")
HIDDEN, VISIBLE, EDITABLE, AS_GROUP = "hidden", "visible", "editable", "group"
OTHERS = ""


@dataclass(frozen=True)
class Line:
    """An attribute or relation: its own level, or that of its group."""

    name: str
    label: Mapping[str, str]
    level: str
    decided_by: str | None = None
    personal: bool = False


@dataclass(frozen=True)
class Group:
    """Lines that have a level together. `id` is empty for what is in no group: there every line has its own."""

    id: str
    label: Mapping[str, str] | None
    level: str
    lines: tuple[Line, ...]


@pages.get("/portals/{portal_id}/permissions")
async def permissions(visit: Visit) -> Response:
    portal, schemas = await side_by_side(open_portal(visit), read_schemas(visit))
    return _page(visit, portal, schemas)


@pages.post("/portals/{portal_id}/permissions")
async def change(visit: Visit) -> Response:
    portal, schemas = await side_by_side(open_portal(visit), read_schemas(visit))
    wanted = dict(portal.document["permissions"])
    for schema in schemas:
        entity = schema["entity"]
        before = wanted.get(entity, {"see": [], "change": []})
        permission = permission_of(schema, before, _typed(visit, entity))
        if permission["see"] or permission["change"] or entity in wanted:
            wanted[entity] = permission

    async def again(typed: Opened, refused: Refused) -> Response:
        return _page(visit, typed, schemas, refused)

    return await keep(visit, portal, {"permissions": wanted}, to="/permissions", again=again)


def _typed(visit: Visit, entity: str) -> Callable[[str, str], str]:
    return lambda name, otherwise: visit.form.get(f"{entity}.{name}") or otherwise


def _page(visit: Visit, portal: Opened, schemas: Sequence[Document], refused: Refused | None = None) -> Response:
    known = portal.document["permissions"]
    matrix = [(schema, groups_of(schema, known.get(schema["entity"], {}))) for schema in schemas]
    return show(visit, "permissions", portal, refused=refused, matrix=matrix)


def groups_of(schema: Document, permission: Mapping[str, Sequence[str]]) -> list[Group]:
    """The levels that a permission gives, group by group; what is in no group comes last."""
    see, change = set(permission.get("see", ())), set(permission.get("change", ()))
    found = []
    for name, label, lines in _grouped(schema):
        level = _level(name, see, change) if name else HIDDEN
        own = [(each, _level(each, see, change)) for each in lines]
        shown = tuple(
            _line(schema, each, AS_GROUP if name and _highest(mine, level) == level else mine) for each, mine in own
        )
        found.append(Group(name, label, level, shown))
    return found


def permission_of(
    schema: Document, before: Mapping[str, Sequence[str]], level_of: Callable[[str, str], str]
) -> dict[str, list[str]]:
    """The permission that the levels mean; `level_of(name, otherwise)` is what was chosen for a group or a line.

    A group is named as a whole where its level holds for all of its lines. What the schema does not know stays.
    """
    see: list[str] = []
    change: list[str] = []
    known: set[str] = set()
    for group, _, lines in _grouped(schema):
        whole = level_of(f"group.{group}", HIDDEN) if group else HIDDEN
        chosen = {name: level_of(name, AS_GROUP if group else HIDDEN) for name in lines}
        levels = {name: whole if level == AS_GROUP else level for name, level in chosen.items()}
        see += _named(group, whole != HIDDEN, {name: level != HIDDEN for name, level in levels.items()})
        change += _named(group, whole == EDITABLE, {name: level == EDITABLE for name, level in levels.items()})
        known |= {group, *lines}
    for names, kind in ((see, "see"), (change, "change")):
        names += [name for name in before.get(kind, ()) if name not in known]
    return {"see": see, "change": change}


def _named(group: str, whole: bool, lines: Mapping[str, bool]) -> list[str]:
    """The group where it holds for all lines, else the lines for which it does."""
    return [group] if group and whole and all(lines.values()) else [name for name, holds in lines.items() if holds]


def _grouped(schema: Document) -> Iterator[tuple[str, Mapping[str, str] | None, list[str]]]:
    grouped: set[str] = set()
    for name, group in schema.get("groups", {}).items():
        grouped |= set(group["attributes"])
        yield name, group["label"], list(group["attributes"])
    others = [name for name in (*schema["attributes"], *schema.get("relations", {})) if name not in grouped]
    if others:
        yield OTHERS, None, others


def _level(name: str, see: set[str], change: set[str]) -> str:
    return EDITABLE if name in change else VISIBLE if name in see else HIDDEN


def _highest(one: str, other: str) -> str:
    order = (HIDDEN, VISIBLE, EDITABLE)
    return max(one, other, key=order.index)


def _line(schema: Document, name: str, level: str) -> Line:
    described: Mapping[str, Any] = schema["attributes"].get(name) or schema.get("relations", {}).get(name, {})
    label = described.get("label") or {"de": name, "en": name}
    return Line(name, label, level, described.get("decided_by"), bool(described.get("personal")))
