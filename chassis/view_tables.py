"""Which versions of which views have tables, and who uses them: what nobody has used for long is dropped."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import structlog
from psycopg import sql

from chassis.log import Connection
from chassis.views import View, consumer_name, table_name

log = structlog.get_logger()

KEPT_UNUSED = timedelta(days=7)
DROPPED_AT_ONCE = 10
MAXIMUM_LISTED = 200

LISTED = """
SELECT v.name, v.version, v.used_at, greatest(t.reltuples, 0)::bigint, coalesce(pg_total_relation_size(t.oid), 0),
       r.id, r.source, r.started_at, r.filled_at, r.ended_at, r.outcome,
       (SELECT coalesce(sum(c.sequence), 0)::bigint FROM checkpoints c WHERE c.consumer = n.consumer),
       (SELECT coalesce(sum(c.sequence), 0)::bigint FROM checkpoints c WHERE c.consumer = n.consumer || ':r' || r.id)
FROM views v
CROSS JOIN LATERAL (SELECT format('view:%%s:v%%s', v.name, v.version) AS consumer,
                           format('view_%%s_v%%s', v.name, v.version) AS relation) n
LEFT JOIN pg_class t ON t.oid = to_regclass(quote_ident(n.relation))
LEFT JOIN LATERAL (SELECT * FROM rebuilds WHERE (view, rebuilds.version) = (v.name, v.version)
                   ORDER BY id DESC LIMIT 1) r ON true
ORDER BY v.name, v.version LIMIT %s
"""


async def touch(connection: Connection, views: Iterable[View[Any]]) -> None:
    """Notes that these views are in use."""
    names, versions = zip(*((view.name, view.version) for view in views), strict=True) if views else ((), ())
    await connection.execute(
        "INSERT INTO views (name, version) SELECT * FROM unnest(%s::text[], %s::integer[]) "
        "ON CONFLICT (name, version) DO UPDATE SET used_at = now()",
        (list(names), list(versions)),
    )


async def drop_unused(
    connection: Connection, mine: Iterable[View[Any]], kept_unused: timedelta = KEPT_UNUSED
) -> list[tuple[str, int]]:
    """Drops the tables of views that no instance has used for that long, a few at a time; returns which."""
    cursor = await connection.execute(
        "SELECT name, version FROM views WHERE used_at < now() - %s ORDER BY used_at LIMIT %s",
        (kept_unused, DROPPED_AT_ONCE),
    )
    own = {(view.name, view.version) for view in mine}
    unused = [(name, version) for name, version in await cursor.fetchall() if (name, version) not in own]
    for name, version in unused:
        consumer = consumer_name(name, version)
        async with connection.transaction():
            table = sql.Identifier(table_name(name, version))
            await connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
            for kept in ("checkpoints", "parked", "dropped"):
                statement = sql.SQL("DELETE FROM {} WHERE consumer = %s").format(sql.Identifier(kept))
                await connection.execute(statement, (consumer,))
            await connection.execute(
                "UPDATE rebuilds SET ended_at = now(), outcome = 'cancelled' "
                "WHERE (view, version) = (%s, %s) AND ended_at IS NULL",
                (name, version),
            )
            await connection.execute("DELETE FROM views WHERE (name, version) = (%s, %s)", (name, version))
        log.warning("unused view dropped", view=name, version=version)
    return unused


async def listed(connection: Connection, mine: Iterable[View[Any]]) -> list[dict[str, Any]]:
    """Every version of every view that has been in use, its size, and its last rebuild."""
    own = {(view.name, view.version) for view in mine}
    rows = await (await connection.execute(LISTED, (MAXIMUM_LISTED,))).fetchall()
    return [
        {
            "name": name,
            "version": version,
            "live": (name, version) in own,
            "used_at": used_at.isoformat(),
            "documents": documents,
            "bytes": size,
            "rebuild": _rebuild(rebuild, live_events, built_events) if rebuild[0] else None,
        }
        for name, version, used_at, documents, size, *rebuild, live_events, built_events in rows
    ]


def _rebuild(row: list[Any], live_events: int, built_events: int) -> dict[str, Any]:
    number, source, started_at, filled_at, ended_at, outcome = row
    under_way = {"applied": built_events, "to_apply": live_events} if ended_at is None else {}
    return {
        "id": number,
        "source": source,
        "started_at": started_at.isoformat(),
        "filled_at": filled_at and filled_at.isoformat(),
        "ended_at": ended_at and ended_at.isoformat(),
        "outcome": outcome,
        **under_way,
    }
