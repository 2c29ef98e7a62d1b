"""What happened to something, told by several services: merged, the newest first, in words."""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import islice
from typing import Any
from urllib.parse import quote

from contracts.ids import billing_event_id, stream
from gateway.pages.staff.desk import Names, found, names_of, pages_around
from gateway.visit import Away, Visit

PAGE = 50
MOST_STREAMS = 90
"""Of one service; more are not asked for at once."""
OVER = "-"
"""The cursor of a source that has told everything."""
PERSONS = ("contact", "company")
"""Whose records have a key of their own, which can be destroyed."""
NOTHING: Mapping[str, Any] = {"items": [], "next": None}

Entry = dict[str, Any]
Ask = Callable[[str], Awaitable[Any]]


@dataclass(frozen=True)
class Source:
    """Where a part of the history is told: `ask` takes a cursor, which is the item's value under `cursor`."""

    ask: Ask
    cursor: str = "position"


@dataclass(frozen=True)
class Told:
    """A page of the history; `away` says whether a part of it is missing because a service does not answer."""

    entries: list[Entry]
    names: Names
    around: Mapping[str, str | None]
    away: bool


@dataclass(frozen=True)
class Titles:
    """What people call the processes and steps that events name by their ids."""

    processes: dict[str, str] = field(default_factory=dict)
    steps: dict[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True)
class Beside:
    """The streams about a record by service, and whether some could not be found now."""

    streams: Mapping[str, list[str]]
    titles: Titles = field(default_factory=Titles)
    away: bool = False


async def of_record(visit: Visit, entity: str, id_: str) -> Told:
    """What happened to a record, and to what belongs to it in other services."""
    path = f"/records/{quote(entity, safe='')}/{quote(id_, safe='')}/history"
    sources = {"entities": Source(lambda before: visit.get("entities", path, before=before, limit=PAGE), "version")}
    beside = await _beside(visit, entity, id_)
    sources |= {service: _streams(visit, service, names) for service, names in beside.streams.items()}
    told = await _merged(visit, sources, beside.titles)
    return replace(told, away=told.away or beside.away)


async def of_user(visit: Visit, user_id: str, limit: int = PAGE) -> Told:
    """What happened to a portal user."""
    return await _merged(visit, {"identity": _streams(visit, "identity", [stream("users", user_id)])}, Titles(), limit)


async def _beside(visit: Visit, entity: str, id_: str) -> Beside:
    """The streams that are about a record; of a contract's billing events those that are due last."""
    if entity == "contract":
        parts = await visit.together(
            bills=found(visit, "portal", f"/contracts/{quote(id_, safe='')}/billing-events", limit=MOST_STREAMS),
            running=found(visit, "processes", "/instances", record=id_, limit=MOST_STREAMS),
        )
        bills, running = (_items(each) for each in (parts.bills, parts.running))
        billing = [stream("billing_event", billing_event_id(id_, each["external_id"])) for each in bills]
        streams = {
            "billing": [stream("instalments", id_), stream("cancellation", id_), *billing],
            "processes": [stream("process", each["id"]) for each in running],
        }
        return Beside(streams, _titles(visit, running), _any_away(parts.bills, parts.running))
    if entity not in PERSONS:
        return Beside({})
    erased = stream("persons", stream(entity, id_))
    if entity != "contact":
        return Beside({"identity": [erased]})
    parts = await visit.together(users=found(visit, "identity", "/users", contact_id=id_, limit=MOST_STREAMS))
    names = [erased, *(stream("users", each["user_id"]) for each in _items(parts.users))]
    return Beside({"identity": names}, away=_any_away(parts.users))


def _items(page: Any) -> list[dict[str, Any]]:
    return list(page["items"]) if page else []


def _any_away(*parts: Any) -> bool:
    return any(isinstance(each, Away) for each in parts)


def _streams(visit: Visit, service: str, names: Iterable[str]) -> Source:
    """Streams of a service; what somebody may not see is left out."""
    wanted = tuple(names)

    async def ask(before: str) -> Any:
        if not wanted:
            return NOTHING
        page = await found(visit, service, "/history", stream=wanted, before=before, limit=PAGE)
        return page or NOTHING

    return Source(ask)


async def _merged(visit: Visit, sources: Mapping[str, Source], titles: Titles, limit: int = PAGE) -> Told:
    """The newest of all sources behind what was shown before; each source has its own cursor."""
    before = _cursors(visit.query.get("before", ""))
    asked = {name: source for name, source in sources.items() if before.get(name) != OVER}
    answers = await visit.together(**{name: source.ask(before.get(name, "")) for name, source in asked.items()})
    pages = {name: page for name in asked if (page := getattr(answers, name))}
    told = [[(name, item) for item in page["items"]] for name, page in pages.items()]
    shown = list(islice(heapq.merge(*told, key=lambda each: _time(each[1]), reverse=True), limit))
    after = {name: before.get(name, OVER) for name in sources} | {name: before.get(name, "") for name in asked}
    for name, item in shown:
        after[name] = str(item[sources[name].cursor])
    for name, page in pages.items():
        if page["next"] is None and sum(each == name for each, _ in shown) == len(page["items"]):
            after[name] = OVER
    subjects = [subject for _, item in shown for subject in (item["actor"], item.get("acted_as"))]
    is_more = any(after[name] != OVER for name in pages)
    cursor = ",".join(f"{name}:{value}" for name, value in after.items()) if is_more else None
    return Told(
        [item if name == "entities" else _in_words(visit, item, titles) for name, item in shown],
        await names_of(visit, subjects),
        pages_around(visit, cursor, "before"),
        len(pages) < len(asked),
    )


def _cursors(text: str) -> dict[str, str]:
    """`entities:12,billing:billing/2:7`: how far each source was told."""
    parts = (part.partition(":") for part in text[:2_000].split(",") if part)
    return {name: cursor for name, _, cursor in parts}


def _time(item: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(item["time"])


def _titles(visit: Visit, instances: Iterable[Mapping[str, Any]]) -> Titles:
    titles = Titles()
    for each in instances:
        titles.processes[each["id"]] = _said(visit, each["title"])
        for step in each["steps"]:
            titles.steps[each["id"], step["plan"]["id"]] = _said(visit, step["plan"]["title"])
    return titles


def _said(visit: Visit, text: Mapping[str, str]) -> str:
    return text.get(visit.language) or next(iter(text.values()), "")


DATED = ("_on", "_from", "_at")
ICONS = {"billing": "euro", "processes": "process", "identity": "user-check"}
WORDS = {
    ("BillingEventRecorded", "kind"): "staff_contract.kind.",
    ("BillingEventRecorded", "status"): "staff_contract.billing.",
    ("CancellationRequested", "basis"): "staff_contract.basis.",
    ("UserAssigned", "by"): "users.assigned_by_",
}
"""Values that are words of ours, and where their texts are."""
OWN_ACTS = frozenset(
    {"UserActivated", "PasswordResetRequested", "PasswordChanged", "IdentificationFailed", "UserSignedIn"}
)
"""What portal users do themselves, in the words of the portal's machine."""
PORTALS = ("machine/", "development/gateway")
"""The subjects of portals, as which they pass on what their visitors do."""


def _in_words(visit: Visit, item: Mapping[str, Any], titles: Titles) -> Entry:
    """An event with what it says: its own text, or its name split into words."""
    _, service, name, _ = item["type"].split(".")
    facts = _facts(visit, name, item["data"], titles)
    key = _key(name, item["data"])
    try:
        title = visit.say("happened." + key, **facts)
    except KeyError:
        title = key.replace("_", " ").capitalize()
    data = json.dumps(_readable(visit, item["data"]), indent=2, ensure_ascii=False)
    is_own_act = name in OWN_ACTS and (item["actor"] or "").startswith(PORTALS)
    return {**item, "icon": ICONS.get(service, "dot"), "title": title, "data": data, "is_own_act": is_own_act}


def _key(name: str, data: Mapping[str, Any]) -> str:
    """The key of what an event says, by its name and by what it is about."""
    match name, data:
        case "UserRegistered", {"invited": invited}:
            return "user_invited" if invited else "user_registered"
        case "UserRegistered", _:
            return "user_added"
        case "BillingEventRecorded", {"direction": "credit"}:
            return "billing_credit_recorded"
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _facts(visit: Visit, name: str, data: Mapping[str, Any], titles: Titles) -> dict[str, Any]:
    """What a text can say of an event: its plain values, days as days, ids as what people call it."""
    facts: dict[str, Any] = {}
    for fact, value in data.items():
        if prefix := WORDS.get((name, fact)):
            facts[fact] = _word(visit, prefix, value)
        elif fact.endswith(DATED):
            facts |= {fact: day} if (day := _day(value)) or value is None else {}
        elif not isinstance(value, dict | list):
            facts[fact] = value
    instance = str(data.get("instance_id", ""))
    return facts | {
        "process": titles.processes.get(instance, data.get("process_id")),
        "step": titles.steps.get((instance, str(data.get("step_id", ""))), data.get("step_id")),
    }


def _word(visit: Visit, prefix: str, value: Any) -> str:
    try:
        return visit.say(f"{prefix}{value}")
    except KeyError:
        return str(value)


def _day(value: Any) -> date | None:
    """A day or a time; None for what is neither, such as the `done_on` of a task."""
    try:
        return date.fromisoformat(value) if len(value) == len("2026-01-31") else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def _readable(visit: Visit, value: Any) -> Any:
    """The data of an event for eyes: what is sealed says so instead of showing its box."""
    match value:
        case {"sealed": str(), "box": str()} if len(value) == 2:
            return visit.say("happenings.sealed")
        case dict():
            return {name: _readable(visit, each) for name, each in value.items()}
        case list():
            return [_readable(visit, each) for each in value]
    return value
