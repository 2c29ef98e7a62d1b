"""Journeys and processes as documents: written, tried, compared and published. Both kinds have the same pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.responses import Response

from gateway.api import Away, Refused
from gateway.documents import Unreadable, difference, lay_out, line_of, read_text
from gateway.journeys.questions import questions
from gateway.pages.staff.desk import found, names_of
from gateway.pages.staff.portals import rules
from gateway.routing import Pages
from gateway.visit import Visit

ID = re.compile(r"[a-z][a-z0-9_-]{0,62}")
PAGE_SIZE = 100
NOTHING_YET = '"0"'
INVALID, UNPROCESSABLE = "invalid_document", 422


@dataclass(frozen=True)
class Kind:
    """`name` is the key of a document's own id; below `path` the API has the documents, at `trial` it tries one."""

    name: str
    root: str
    service: str
    path: str
    trial: str
    start: Mapping[str, Any]
    can_withdraw: bool


@dataclass(frozen=True)
class Trial:
    """What is wrong with a document; or how it would be shown, and the id that it has."""

    mistakes: list[dict[str, Any]]
    shown: Mapping[str, Any] | None = None
    id: str = ""


def add_definitions(pages: Pages, kind: Kind) -> None:
    """Adds the pages of a kind."""
    pages.get(kind.root)(partial(_list, kind))
    pages.get(f"{kind.root}/new")(partial(_new, kind))
    pages.post(f"{kind.root}/new")(partial(_try, kind))
    pages.get(f"{kind.root}/{{id}}")(partial(_edit, kind))
    pages.post(f"{kind.root}/{{id}}")(partial(_try, kind))
    pages.post(f"{kind.root}/{{id}}/publish")(partial(_publish, kind))
    pages.get(f"{kind.root}/{{id}}/versions")(partial(_versions, kind))
    if kind.can_withdraw:
        pages.get(f"{kind.root}/{{id}}/withdraw")(partial(_ask, kind))
        pages.post(f"{kind.root}/{{id}}/withdraw")(partial(_withdraw, kind))


async def _list(kind: Kind, visit: Visit) -> Response:
    beside = await visit.together(
        listed=visit.get(kind.service, kind.path, limit=PAGE_SIZE, cursor=visit.query.get("cursor")),
        schemas=found(visit, "entities", "/schemas"),
    )
    if isinstance(beside.listed, Away):
        raise beside.listed
    schemas = beside.schemas["items"] if beside.schemas else []
    labels = {each["entity"]: each.get("label") or {} for each in schemas}
    return visit.show("staff/definitions.html", kind=kind, page=beside.listed, labels=labels)


async def _new(kind: Kind, visit: Visit) -> Response:
    return await _draw(kind, visit, None, lay_out(kind.start), NOTHING_YET)


async def _edit(kind: Kind, visit: Visit) -> Response:
    """The newest version, beside how it is shown."""
    id_ = visit.path["id"]
    document, etag = await _published(kind, visit, id_)
    return await _draw(kind, visit, id_, lay_out(document), etag)


async def _try(kind: Kind, visit: Visit) -> Response:
    """What was typed, with what is wrong with it and how it would be shown; then it can be looked at and published."""
    text, etag = visit.form.get("document").replace("\r\n", "\n"), visit.form.get("etag", NOTHING_YET)
    id_ = visit.path.get("id")
    if visit.form.get("do") == "review":
        trial = await _tried(kind, visit, text, id_)
        if trial.shown is not None:
            return await _review(kind, visit, trial.id, text, etag)
    return await _draw(kind, visit, id_, text, etag)


async def _publish(kind: Kind, visit: Visit) -> Response:
    id_ = visit.path["id"]
    text, etag = visit.form.get("document"), visit.form.get("etag", NOTHING_YET)
    try:
        document = read_text(text)
        await visit.put(kind.service, f"{kind.path}/{id_}", document, If_Match=etag)
    except Unreadable:
        return await _draw(kind, visit, id_, text, etag)
    except Refused as refused:
        if refused.code == INVALID:
            return await _draw(kind, visit, id_, text, etag)
        if refused.status != 412:
            raise
        _, newest = await _published(kind, visit, id_)
        return await _review(kind, visit, id_, text, newest, overtaken=True)
    return visit.go(f"{kind.root}/{id_}", said="definitions.published")


async def _review(kind: Kind, visit: Visit, id_: str, text: str, etag: str, *, overtaken: bool = False) -> Response:
    """What publishing would change."""
    try:
        before, newest = await _published(kind, visit, id_)
    except Refused as refused:
        if refused.status != 404:
            raise
        before, newest = None, NOTHING_YET
    rows = difference(lay_out(before) if before else "", lay_out(read_text(text)))
    return visit.show(
        "staff/definition_review.html",
        status=412 if overtaken else 200,
        kind=kind,
        id=id_,
        text=text,
        etag=etag if before and not overtaken else newest,
        title=_title(read_text(text)),
        rows=rows,
        is_new=before is None,
        overtaken=overtaken,
    )


async def _versions(kind: Kind, visit: Visit) -> Response:
    """All versions, and what differs between two of them."""
    id_ = visit.path["id"]
    versions = await visit.get(kind.service, f"{kind.path}/{id_}/versions")
    numbers = [each["version"] for each in versions]
    new = _number(visit.query.get("to"), numbers, numbers[0])
    old = _number(visit.query.get("from"), numbers, max((each for each in numbers if each < new), default=new))
    before, after = [await visit.get(kind.service, f"{kind.path}/{id_}", version=each) for each in (old, new)]
    return visit.show(
        "staff/definition_versions.html",
        kind=kind,
        id=id_,
        title=_title(after),
        versions=versions,
        names=await names_of(visit, (each["published_by"] for each in versions)),
        old=old,
        new=new,
        rows=difference(lay_out(before), lay_out(after)),
    )


async def _ask(kind: Kind, visit: Visit) -> Response:
    document, etag = await _published(kind, visit, visit.path["id"])
    id_, title = visit.path["id"], _title(document)
    return visit.show("staff/definition_withdraw.html", kind=kind, id=id_, title=title, etag=etag)


async def _withdraw(kind: Kind, visit: Visit) -> Response:
    await visit.delete(kind.service, f"{kind.path}/{visit.path['id']}", If_Match=visit.form.get("etag"))
    return visit.go(kind.root, said="definitions.withdrawn")


async def _draw(kind: Kind, visit: Visit, id_: str | None, text: str, etag: str) -> Response:
    """The editor. A document that cannot be shown is shown with what is wrong with it."""
    trial = await _tried(kind, visit, text, id_)
    steps = trial.shown["steps"] if trial.shown and kind.name == "journey" else []
    beside = await visit.together(schemas=found(visit, "entities", "/schemas"))
    return visit.show(
        "staff/definition.html",
        status=UNPROCESSABLE if trial.mistakes else 200,
        kind=kind,
        id=id_,
        title=await _known_title(kind, visit, id_, text),
        text=text,
        etag=etag,
        mistakes=trial.mistakes,
        tried=trial.shown,
        reading=_reading(steps, beside.schemas["items"] if beside.schemas else []),
        steps=[(step, questions(step, visit.language)) for step in steps],
    )


def _reading(steps: Iterable[Mapping[str, Any]], schemas: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What it takes to say conditions in words: the attributes of entities, and the questions of a journey."""
    asked = {entry["field"]: {**entry, "options": _labels(entry)} for step in steps for entry in step["ui"]}
    shapes = {schema["entity"]: schema for schema in schemas} | {"answers": {"attributes": asked}}
    return {
        "shapes": shapes,
        "rows_of": partial(rules.rows_of, shapes=shapes),
        "options_of": partial(rules.options_of, shapes=shapes),
        "described_of": partial(rules.described_of, shapes=shapes),
    }


def _labels(entry: Mapping[str, Any]) -> dict[str, Mapping[str, str]]:
    return {str(each["value"]): each["label"] for each in entry.get("options", ())}


async def _known_title(kind: Kind, visit: Visit, id_: str | None, text: str) -> Mapping[str, str]:
    """The title of a text; that of the published version where it cannot be read."""
    try:
        return _title(read_text(text))
    except Unreadable:
        return _title(await found(visit, kind.service, f"{kind.path}/{id_}") or {}) if id_ else {}


def _title(document: Mapping[str, Any]) -> Mapping[str, str]:
    """The title of a document that may be wrong; nothing where it has none."""
    title = document.get("title")
    return {language: str(said) for language, said in title.items()} if isinstance(title, dict) else {}


async def _tried(kind: Kind, visit: Visit, text: str, id_: str | None) -> Trial:
    lines = text.splitlines()
    try:
        document = read_text(text)
    except Unreadable as unreadable:
        return Trial([_mistake(lines, unreadable.line, "", _say(visit, unreadable.key))])
    named = id_ or document.get(kind.name)
    if not isinstance(named, str) or not ID.fullmatch(named):
        return Trial([_mistake(lines, line_of(text, kind.name), kind.name, _say(visit, "definitions.no_id"))])
    try:
        shown = await visit.post(kind.service, f"{kind.path}/{named}/{kind.trial}", document)
    except Refused as refused:
        if refused.status != UNPROCESSABLE:
            raise
        told = refused.mistakes or {"": refused.detail}
        return Trial([_mistake(lines, line_of(text, path), path, said) for path, said in told.items()])
    return Trial([], shown, named)


def _say(visit: Visit, key: str) -> str:
    return visit.rendering.texts.say(key, visit.language) or key


def _mistake(lines: list[str], line: int, path: str, said: str) -> dict[str, Any]:
    code = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    return {"line": line, "path": path, "said": said, "code": code}


async def _published(kind: Kind, visit: Visit, id_: str) -> tuple[dict[str, Any], str]:
    """The newest version and its ETag. Raises Refused."""
    answer = await visit.send("GET", kind.service, f"{kind.path}/{id_}")
    return answer.json(), answer.headers.get("ETag", NOTHING_YET)


def _number(text: str | None, known: list[int], otherwise: int) -> int:
    return int(text) if text and text.isdecimal() and int(text) in known else otherwise
