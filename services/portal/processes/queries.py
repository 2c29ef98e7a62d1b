"""Which processes and tasks a visitor sees: those of records that are his now, and those in which he has tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chassis import arrays
from chassis.database import Pool
from chassis.grouping import Grouped
from contracts.processes import Audience
from services.portal.pages.queries import RELATION
from services.portal.pages.views import CONTRACTS
from services.portal.processes.views import PROCESSES, ProcessDoc, StepDoc
from services.portal.reading import Page, Slice, fetch, paged, read_cursor, time_text, write_cursor
from services.portal.visitor import Visitor

Whether = Literal["open", "over"]
"""Whether something is still going on."""

_SELECT = f"""
SELECT p.doc::text, c.doc->>'number' FROM {PROCESSES.table} p
LEFT JOIN {CONTRACTS.table} c ON p.doc->'record'->>'entity' = 'contract' AND c.key = p.doc->'record'->>'id'
"""  # noqa: S608 our own names
MAXIMUM_OF_RECORD = 20
_OF_RECORDS = f"""
SELECT k, p.doc::text FROM unnest(%(keys)b) k CROSS JOIN LATERAL (
    SELECT doc FROM {PROCESSES.table} WHERE doc->'record'->>'id' = k
    ORDER BY doc->>'started_at' DESC, key DESC LIMIT {MAXIMUM_OF_RECORD}) p
"""  # noqa: S608 our own names


@dataclass(frozen=True, slots=True)
class Found:
    """A process, and what people call its record."""

    process: ProcessDoc
    record_title: str | None


@dataclass(frozen=True, slots=True)
class Task:
    """A step that is or was somebody's to do."""

    found: Found
    step: StepDoc


async def processes_page(
    pool: Pool, visitor: Visitor, record_id: str | None, status: Whether | None, wanted: Slice
) -> Page[Found]:
    """The newest first."""
    conditions, parameters = _of_visitor(visitor), _parameters(visitor)
    if status is not None:
        conditions.append(f"p.doc->>'status' {'=' if status == 'open' else '<>'} 'open'")
    if record_id is not None:
        conditions.append("p.doc->'record'->>'id' = %(record)s")
        parameters["record"] = record_id
    if wanted.cursor is not None:
        conditions.append("(p.doc->>'started_at', p.key) < (%(started_at)s, %(key)s)")
        parameters["started_at"], parameters["key"] = read_cursor(wanted.cursor, 2)
    found = await _find(pool, conditions, parameters, "p.doc->>'started_at' DESC, p.key DESC", wanted.limit + 1)
    return paged(
        found, wanted.limit, lambda last: write_cursor(time_text(last.process.started_at), last.process.instance_id)
    )


async def find_process(pool: Pool, visitor: Visitor, instance_id: str) -> Found | None:
    """A process that the visitor may see."""
    conditions = ["p.key = %(key)s", *_of_visitor(visitor)]
    found = await _find(pool, conditions, {**_parameters(visitor), "key": instance_id}, "p.key", 1)
    return found[0] if found else None


async def find_task(pool: Pool, contact_id: str, instance_id: str, step_id: str) -> Task | None:
    """A task that is or was this contact's."""
    found = await _find(pool, ["p.key = %(key)s"], {"key": instance_id}, "p.key", 1)
    steps = found[0].process.tasks_of(contact_id) if found else []
    return next((Task(found[0], step) for step in steps if step.id == step_id), None)


async def tasks_page(pool: Pool, contact_id: str, role: Audience, status: Whether | None, wanted: Slice) -> Page[Task]:
    """Tasks of at most `limit` processes: what is open first, then what is over, each the latest first."""
    section, behind = ("over" if status == "over" else "open"), ["", ""]
    if wanted.cursor is not None:
        section, *behind = read_cursor(wanted.cursor, 3)
    found: list[Found] = []
    open_ones = 0
    if section == "open":
        found = await _section(pool, "p.doc->>'waits_for' = %(contact)s", contact_id, behind, wanted.limit + 1)
        open_ones, behind = len(found), ["", ""]
    if len(found) <= wanted.limit and status != "open":
        condition = f"p.doc->>'{role}' = %(contact)s AND p.doc->>'has_tasks_behind' = 'true'"
        found += await _section(pool, condition, contact_id, behind, wanted.limit + 1 - len(found))
    pages = paged(list(enumerate(found)), wanted.limit, lambda last: _cursor_behind(last, open_ones))
    tasks = [
        Task(each, step)
        for number, each in pages.items
        for step in each.process.tasks_of(contact_id)
        if each.process.is_open(step) == (number < open_ones)
    ]
    return Page(tasks, pages.next)


async def count_open_tasks(pool: Pool, contact_id: str, most: int) -> int:
    """How many tasks wait for a contact, counted up to `most`."""
    statement = (
        f"SELECT count(*) FROM (SELECT FROM {PROCESSES.table} "  # noqa: S608 our own names
        "WHERE doc->>'waits_for' = %(contact)s LIMIT %(most)s) t"
    )
    return int((await fetch(pool, statement, {"contact": contact_id, "most": most}))[0][0])


async def count_for_staff(pool: Pool, most: int) -> int:
    """How many steps wait for staff, counted up to `most`."""
    statement = (
        f"SELECT count(*) FROM (SELECT FROM {PROCESSES.table} "  # noqa: S608 our own names
        "WHERE doc->>'waits_for_staff' = 'true' LIMIT %(most)s) t"
    )
    return int((await fetch(pool, statement, {"most": most}))[0][0])


class ProcessesOfRecords:
    """The latest processes of records. Those that are asked for at the same time share a query."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._grouped = Grouped(self._fetch)

    async def of(self, record_id: str) -> list[ProcessDoc]:
        """The newest first, at most `MAXIMUM_OF_RECORD`."""
        return (await self._grouped.load([record_id])).get(record_id, [])

    async def _fetch(self, keys: list[str]) -> dict[str, list[ProcessDoc]]:
        found: dict[str, list[ProcessDoc]] = {}
        for key, process in await fetch(self._pool, _OF_RECORDS, {"keys": arrays.texts(keys)}):
            found.setdefault(key, []).append(ProcessDoc.model_validate_json(process))
        return found


def _of_visitor(visitor: Visitor) -> list[str]:
    if visitor.contact_id is None:
        return []
    role = visitor.audience
    held = f"SELECT key FROM {CONTRACTS.table} WHERE doc->>'{RELATION[role]}' = %(contact)s LIMIT 1000"  # noqa: S608 our own names
    records = f"p.doc->'record'->>'id' = ANY(ARRAY({held}) || %(contact)s)"
    return [f"(p.doc->>'{role}' = %(contact)s OR {records})"]


def _parameters(visitor: Visitor) -> dict[str, object]:
    return {} if visitor.contact_id is None else {"contact": visitor.contact_id}


async def _section(pool: Pool, condition: str, contact_id: str, behind: list[str], limit: int) -> list[Found]:
    conditions, parameters = [condition], {"contact": contact_id}
    if behind[1]:
        conditions.append("(p.doc->>'changed_at', p.key) < (%(changed_at)s, %(key)s)")
        parameters |= {"changed_at": behind[0], "key": behind[1]}
    return await _find(pool, conditions, parameters, "p.doc->>'changed_at' DESC, p.key DESC", limit)


async def _find(
    pool: Pool, conditions: list[str], parameters: dict[str, object] | dict[str, str], order: str, limit: int
) -> list[Found]:
    where = " AND ".join(conditions) or "true"
    statement = f"{_SELECT} WHERE {where} ORDER BY {order} LIMIT %(limit)s"
    rows = await fetch(pool, statement, {**parameters, "limit": limit})
    return [Found(ProcessDoc.model_validate_json(process), number) for process, number in rows]


def _cursor_behind(last: tuple[int, Found], open_ones: int) -> str:
    number, found = last
    section = "open" if number < open_ones else "over"
    return write_cursor(section, time_text(found.process.changed_at), found.process.instance_id)
