"""Records of any schema: what they look like, the list, the form to make and change one, and taking one away."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from contracts.common import Language
from gateway.pages.public.forms import at_field, missing
from gateway.pages.staff.desk import may, names_of, pages_around
from gateway.routing import Pages
from gateway.visit import Refused, Visit

PAGE = 50
MOST_FILTERS = 4
MOST_COLUMNS = 6
FIELD, FILTER = "v-", "is-"
CHANGED_MEANWHILE = 412
FILTERABLE = ("choice", "choices", "boolean")
PERIOD = re.compile(r"P(\d+)([YMWD])")
UNITS: Mapping[str, str] = {"Y": "year", "M": "month", "W": "week", "D": "day"}
Shape = dict[str, Any]
Record = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of records: its schema, where its pages are, and which attributes its list shows (none: the first few)."""

    entity: str
    path: str
    columns: tuple[str, ...] = ()


CONTACTS = Kind("contact", "/contacts", ("customer_number", "email", "phone", "city", "divisions"))
COMPANIES = Kind("company", "/companies", ("company_number", "legal_form", "city", "divisions", "phone"))
CONTRACTS = Kind("contract", "/contracts", ("status", "division", "product", "starts_on", "ends_on"))
PLACES: Mapping[str, str] = {kind.entity: kind.path for kind in (CONTACTS, COMPANIES, CONTRACTS)}


async def find_shape(visit: Visit, entity: str) -> Shape | None:
    """What records of an entity look like, in the order in which people read it; None when there is no such entity."""
    try:
        document = await visit.get("entities", f"/schemas/{quote(entity, safe='')}")
    except Refused as refused:
        if refused.status == 404:
            return None
        raise
    return shape_of(document, visit.language)


def shape_of(document: Mapping[str, Any], language: Language) -> Shape:
    """A schema with everything said that may be left out of its document, and `choices` in a language."""
    attributes = {
        name: {"options": {}, "personal": False, "required": False, "unique": False, "decided_by": None, **described}
        | {"name": name, "label": described.get("label") or _label(name), "options": _options(described)}
        | {"max_length": described.get("max_length"), "choices": _choices(_options(described), language)}
        for name, described in document["attributes"].items()
    }
    relations = {
        name: {"many": False, "required": False, **described}
        | {"name": name, "label": described.get("label") or _label(name)}
        for name, described in (document.get("relations") or {}).items()
    }
    groups = [
        {"id": id_, "label": group["label"], "names": [name for name in group["attributes"] if name in attributes]}
        for id_, group in (document.get("groups") or {}).items()
    ]
    grouped = {name for group in groups for name in group["names"]}
    if others := [name for name in attributes if name not in grouped]:
        groups.append({"id": "others", "label": None, "names": others})
    return {
        "entity": document["entity"],
        "label": document.get("label") or _label(document["entity"]),
        "noun": _noun(document.get("label") or _label(document["entity"]), language),
        "title": document["title"]["attribute"],
        "external_id": next(name for name, each in attributes.items() if each["unique"]),
        "groups": groups,
        "field_labels": {f"{FIELD}{name}": each["label"][language] for name, each in attributes.items()},
        "attributes": attributes,
        "relations": dict(sorted(relations.items())),
    }


def _label(name: str) -> dict[str, str]:
    said = name.replace("_", " ").capitalize()
    return {"de": said, "en": said}


def _noun(label: Mapping[str, str], language: Language) -> str:
    """A label inside a sentence: in English "company", while "PV system" stays as it is."""
    said = label.get(language) or next(iter(label.values()))
    return said if language == "de" or said[1:2].isupper() else said[:1].lower() + said[1:]


def _options(described: Mapping[str, Any]) -> dict[str, Any]:
    options = described.get("options") or {}
    return {each: _label(each) for each in options} if isinstance(options, list) else dict(options)


def _choices(options: Mapping[str, Any], language: Language) -> list[tuple[str, str]]:
    return [(value, said.get(language) or value) for value, said in options.items()]


def with_values(record: Record, shape: Shape) -> Record:
    """A record with all its values in one place and what people call it."""
    known = {shape["external_id"]: record["external_id"], **record["attributes"], **record["personal"]}
    parts = [str(known[part]) for part in ("first_name", "last_name") if known.get(part)]
    called = " ".join(parts) or str(known.get(shape["title"]) or record["external_id"] or "")
    place = PLACES.get(record["entity"])
    return {**record, "known": known, "called": called, "href": f"{place}/{record['id']}" if place else None}


async def records_by_id(visit: Visit, shape: Shape | None, ids: Iterable[str | None]) -> dict[str, Record]:
    """Records of a kind by their ids, asked for at once."""
    wanted = sorted({each for each in ids if each})
    if not wanted or shape is None:
        return {}
    page = await visit.get("entities", f"/records/{shape['entity']}", ids=",".join(wanted), limit=len(wanted))
    return {record["id"]: with_values(record, shape) for record in page["items"]}


async def related(visit: Visit, shape: Shape, records: Iterable[Record]) -> dict[str, Record]:
    """The records to which these lead, by their ids."""
    wanted: dict[str, set[str]] = {}
    for record in records:
        for name, ids in record["relations"].items():
            if name in shape["relations"]:
                wanted.setdefault(shape["relations"][name]["to"], set()).update(ids)
    shapes = await asyncio.gather(*(find_shape(visit, entity) for entity in wanted))
    there = await asyncio.gather(
        *(records_by_id(visit, each, ids) for each, ids in zip(shapes, wanted.values(), strict=True))
    )
    return {id_: record for each in there for id_, record in each.items()}


async def read(visit: Visit, kind: Kind, record_id: str) -> tuple[Shape, Record]:
    """A record and its shape. Raises Refused 404."""
    shape, record = await asyncio.gather(
        visit.get("entities", f"/schemas/{kind.entity}"),
        visit.get("entities", f"/records/{kind.entity}/{quote(record_id, safe='')}"),
    )
    described = shape_of(shape, visit.language)
    return described, with_values(record, described)


def add_pages(pages: Pages, kind: Kind) -> None:
    """The list, and the forms to make, change and take away one; a module adds the page of one record."""

    def bound(handle: Callable[[Visit, Kind], Awaitable[Response]]) -> Callable[[Visit], Awaitable[Response]]:
        return lambda visit: handle(visit, kind)

    pages.get(kind.path)(bound(listing))
    pages.get(f"{kind.path}/new")(bound(new))
    pages.post(f"{kind.path}/new")(bound(create))
    pages.get(f"{kind.path}/{{record_id}}/edit")(bound(edit))
    pages.post(f"{kind.path}/{{record_id}}/edit")(bound(change))
    pages.get(f"{kind.path}/{{record_id}}/delete")(bound(ask_delete))
    pages.post(f"{kind.path}/{{record_id}}/delete")(bound(delete))


async def listing(visit: Visit, kind: Kind) -> Response:
    """Records by search and filters, a page at a time."""
    shape = await find_shape(visit, kind.entity)
    if shape is None:
        return visit.show("staff/no_records.html", kind=kind)
    filters = [each for each in shape["attributes"].values() if each["type"] in FILTERABLE and not each["personal"]]
    filters = filters[:MOST_FILTERS]
    where = tuple(
        f"{each['name']}:{value}" for each in filters if (value := visit.query.get(FILTER + each["name"], ""))
    )
    query = {"search": visit.query.get("search", "")[:200], "after": visit.query.get("after", ""), "limit": PAGE}
    page = await visit.get("entities", f"/records/{kind.entity}", **query, where=where)
    records = [with_values(each, shape) for each in page["items"]]
    names = kind.columns or tuple(name for group in shape["groups"] for name in group["names"])
    columns = [name for name in names if name in shape["attributes"] and name != shape["title"]][:MOST_COLUMNS]
    described = [*(shape["attributes"][name] for name in columns), *shape["relations"].values()]
    return visit.show(
        "staff/record_list.html",
        kind=kind,
        shape=shape,
        records=records,
        others=await related(visit, shape, records),
        columns=columns,
        heads=[each["label"].get(visit.language) or each["name"] for each in described],
        filters=filters,
        filtered=bool(where or query["search"]),
        around=pages_around(visit, page["next"]),
    )


async def new(visit: Visit, kind: Kind, refused: Refused | None = None) -> Response:
    """The form of a record that does not exist yet."""
    shape = await find_shape(visit, kind.entity)
    if shape is None:
        return visit.not_found()
    given = {**{name: visit.query.get(name, "") for name in shape["relations"]}, **typed(visit, shape)}
    return visit.show(
        "staff/record_form.html",
        refused.status if refused else 200,
        kind=kind,
        shape=shape,
        record=None,
        values=given,
        refused=at_attribute(refused),
        meanwhile=None,
    )


async def create(visit: Visit, kind: Kind) -> Response:
    """Makes the record, unless there is one with its id already."""
    shape = await find_shape(visit, kind.entity)
    if shape is None:
        return visit.not_found()
    given = {name: value for name, value in typed(visit, shape).items() if value not in {"", ()}}
    number = str(given.get(shape["external_id"]) or "")
    if not number:
        return await new(visit, kind, _refused(visit, shape["external_id"], "records.invalid_missing"))
    taken = await visit.get("entities", f"/records/{kind.entity}", external_id=number)
    if taken["items"]:
        return await new(visit, kind, _refused(visit, shape["external_id"], "records.record_exists"))
    body = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
    try:
        made = await visit.put("entities", f"/records/{kind.entity}/{quote(number, safe='')}", body)
    except Refused as refused:
        return await new(visit, kind, refused)
    return visit.go(f"{kind.path}/{made['id']}", said="records.created", number=number)


async def edit(visit: Visit, kind: Kind) -> Response:
    """The form of a record as it is now."""
    shape, record = await read(visit, kind, visit.path["record_id"])
    return await form_of(visit, kind, shape, record)


async def form_of(
    visit: Visit,
    kind: Kind,
    shape: Shape,
    record: Record,
    *,
    values: Mapping[str, Any] | None = None,
    refused: Refused | None = None,
    meanwhile: Iterable[Mapping[str, Any]] | None = None,
    names: Mapping[str, str] | None = None,
) -> Response:
    """The form with a record's values, or with those that were typed; `meanwhile`: what others have changed."""
    return visit.show(
        "staff/record_form.html",
        refused.status if refused else 200 if meanwhile is None else CHANGED_MEANWHILE,
        kind=kind,
        shape=shape,
        record=record,
        values=_as_form(visit, shape, record) if values is None else values,
        refused=at_attribute(refused),
        meanwhile=None if meanwhile is None else list(meanwhile),
        names=names or {},
        others=await related(visit, shape, [record]),
    )


async def change(visit: Visit, kind: Kind) -> Response:
    """Changes what was changed in the form; what somebody else has changed meanwhile is shown first."""
    shape, record = await read(visit, kind, visit.path["record_id"])
    given, seen = _attributes(typed(visit, shape), shape), visit.form["seen"]
    if seen != str(record["version"]):
        return await _changed_meanwhile(visit, kind, shape, record)
    now = _as_form(visit, shape, record)
    changes = {name: _sent(value) for name, value in given.items() if value != now[name]}
    if not changes:
        return visit.go(f"{kind.path}/{record['id']}")
    try:
        await visit.patch("entities", f"/records/{kind.entity}/{record['id']}", changes, If_Match=f'"{seen}"')
    except Refused as refused:
        if refused.status == CHANGED_MEANWHILE:
            return await _changed_meanwhile(visit, kind, *await read(visit, kind, record["id"]))
        return await form_of(visit, kind, shape, record, values=given, refused=refused)
    return visit.go(f"{kind.path}/{record['id']}", said="records.changed")


async def _changed_meanwhile(visit: Visit, kind: Kind, shape: Shape, record: Record) -> Response:
    """What others changed since the form was opened, and the form with their values where one had none of one's own."""
    given, seen = typed(visit, shape), visit.form["seen"]
    history = await visit.get("entities", f"/records/{kind.entity}/{record['id']}/history", limit=100)
    newer = [entry for entry in history["items"] if not seen.isdigit() or entry["version"] > int(seen)]
    before: dict[str, Any] = {}
    for entry in newer:
        before |= {each["name"]: each["before"] for each in entry["changes"]}
    values = dict(given)
    for name, was in before.items():
        described = shape["attributes"].get(name)
        if described and given.get(name) == as_typed(visit, described, was):
            values[name] = as_typed(visit, described, record["known"].get(name))
    names = await names_of(visit, [entry["actor"] for entry in newer])
    return await form_of(visit, kind, shape, record, values=values, meanwhile=newer, names=names)


async def ask_delete(visit: Visit, kind: Kind) -> Response:
    """Asks before a record is taken away, or a person is erased."""
    return await _show_delete(visit, kind)


async def _show_delete(visit: Visit, kind: Kind, refused: Refused | None = None) -> Response:
    shape, record = await read(visit, kind, visit.path["record_id"])
    is_person = record["person"] == f"{kind.entity}/{record['id']}"
    return visit.show(
        "staff/record_delete.html",
        refused.status if refused else 200,
        kind=kind,
        shape=shape,
        record=record,
        may_erase=is_person and not record["erased"] and may(visit, "operator"),
        refused=refused,
    )


async def delete(visit: Visit, kind: Kind) -> Response:
    """Takes a record away; or destroys the key of its person, for ever."""
    _, record = await read(visit, kind, visit.path["record_id"])
    reason = visit.form["reason"]
    try:
        if visit.form["what"] == "erase":
            if wrong := missing(visit, {"reason": "staff.no_reason", "sure": "staff.not_sure"}):
                return await _show_delete(visit, kind, wrong)
            person = f"{kind.entity}/{record['id']}"
            await visit.post("identity", f"/persons/{person}/erase", {"reason": reason})
            return visit.go(f"{kind.path}/{record['id']}", said="records.erase_done." + kind.entity)
        await visit.delete("entities", f"/records/{kind.entity}/{quote(str(record['external_id']), safe='')}")
    except Refused as refused:
        return await _show_delete(visit, kind, at_field(refused, {"invalid_request": "reason"}))
    return visit.go(kind.path, said="records.deleted", number=record["external_id"])


def typed(visit: Visit, shape: Shape) -> dict[str, Any]:
    """What the form holds: texts, and tuples where several can be chosen."""
    found: dict[str, Any] = {}
    for name, described in shape["attributes"].items():
        field = FIELD + name
        if described["type"] == "choices" and f"{field}-shown" in visit.form:
            found[name] = tuple(visit.form.all(field))
        elif field in visit.form:
            found[name] = visit.form[field]
    return found | {name: visit.form[FIELD + name] for name in shape["relations"] if FIELD + name in visit.form}


def _attributes(given: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name in shape["attributes"]}


def _as_form(visit: Visit, shape: Shape, record: Record) -> dict[str, Any]:
    """All values of a record as its form would send them."""
    return {name: as_typed(visit, each, record["known"].get(name)) for name, each in shape["attributes"].items()}


def as_typed(visit: Visit, described: Mapping[str, Any], value: Any) -> Any:
    """A value as its field would send it."""
    if described["type"] == "choices":
        return tuple(value or ())
    if described["type"] == "period" and value:
        return _period_in_words(visit, str(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value).strip()


def _period_in_words(visit: Visit, value: str) -> str:
    """P14D as people write it, 14 days; what has several units stays as it is."""
    if not (found := PERIOD.fullmatch(value)):
        return value
    count, unit = int(found[1]), UNITS[found[2]]
    return visit.say(f"period.{unit}{'' if count == 1 else 's'}", count=count)


def at_attribute(refused: Refused | None) -> Refused | None:
    """A refusal of one attribute as a mistake of its field."""
    attribute = refused.facts.get("attribute") if refused else None
    if refused is None or not attribute:
        return refused
    mistakes = [{"path": f"{FIELD}{attribute}", "detail": refused.detail.removeprefix(f"{attribute}: ")}]
    return Refused(refused.status, {**refused.facts, "mistakes": mistakes})


def _refused(visit: Visit, attribute: str, key: str) -> Refused:
    """Something that is refused here already, since no API needs to be asked."""
    return Refused(422, {"code": key, "attribute": attribute, "detail": visit.say(key)})


def _sent(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value or None
