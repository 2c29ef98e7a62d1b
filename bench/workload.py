"""What is appended, published and folded: events of about 250 bytes as billing writes them, and logs full of them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import psycopg
from pydantic import BaseModel

from chassis.decider import Decider
from chassis.log import Append, NewEvent
from chassis.views import View
from contracts.base import Event
from contracts.billing import InstalmentChanged, InstalmentPlanSet
from contracts.common import Instalment
from contracts.entities import EntityCreated
from contracts.envelope import Envelope, Metadata
from contracts.ids import stream, stream_id

KIND = "instalments"
METADATA = Metadata(correlation_id="bench")
TODAY = datetime.now(UTC).date()
SPREAD_ID = "00000000-0000-0000-0000-000000000000"
SPREAD_NUMBER = "NUMBER"


def id_of(number: int) -> str:
    """The id of the numbered contract, the same in SQL: md5('bench' || number)::uuid."""
    return str(uuid.UUID(hashlib.md5(f"bench{number}".encode(), usedforsecurity=False).hexdigest()))


def number_of(number: int) -> str:
    """How the ERP names that contract."""
    return f"V-{number}"


def change(contract_id: str) -> InstalmentChanged:
    """An event of about 250 bytes."""
    return InstalmentChanged(
        contract_id=contract_id,
        contract_number="V-1001",
        contact_id=None,
        change_id="c-1",
        from_cents=7_800,
        amount_cents=6_500,
        currency="EUR",
        effective_from=date(2026, 12, 1),
        changed_on=date(2026, 11, 21),
        portal_id="customers",
    )


ENCODED = change(SPREAD_ID).model_dump_json().encode()
NEW = NewEvent(InstalmentChanged.type, ENCODED, METADATA)


def plan(contact_id: str | None = None) -> InstalmentPlanSet:
    """A plan whose next due dates let a customer change it today."""
    dues = [TODAY.replace(day=1) + timedelta(days=31 * month + 45) for month in range(12)]
    return InstalmentPlanSet(
        contract_id=SPREAD_ID,
        contract_number=SPREAD_NUMBER,
        contact_id=contact_id,
        amount_cents=9_500,
        currency="EUR",
        valid_from=TODAY - timedelta(days=90),
        schedule=tuple(Instalment(due_on=due, amount_cents=9_500) for due in dues),
    )


def contract(contact_id: str) -> EntityCreated:
    """A contract of a customer, as an import makes it."""
    return EntityCreated(
        entity="contract",
        id=SPREAD_ID,
        external_id=SPREAD_NUMBER,
        person=None,
        attributes={
            "number": SPREAD_NUMBER,
            "division": "electricity",
            "product": "Natur",
            "status": "active",
            "starts_on": "2024-01-01",
        },
        personal={},
        relations={"holder": (contact_id,)},
    )


def appends(ids: Sequence[str], expected: int, events: int) -> list[Append]:
    """The same commands for several streams."""
    now = datetime.now(UTC)
    return [Append(stream(KIND, id_), expected, (NEW,) * events, now) for id_ in ids]


class Amount(BaseModel):
    """The document of the view that is measured."""

    amount_cents: int
    changes: int = 0


def _fold(amount: Amount | None, envelope: Envelope) -> Amount:
    assert isinstance(envelope.event, InstalmentChanged)  # noqa: S101 the only event of the view
    changes = amount.changes if amount else 0
    return Amount(amount_cents=envelope.event.amount_cents, changes=changes + 1)


AMOUNTS = View("bench_amounts", 1, Amount, (InstalmentChanged,), lambda envelope: stream_id(envelope.stream), _fold)
CHANGES: Decider[InstalmentChanged, int] = Decider(
    KIND, 0, lambda command, _: [command], lambda changes, _: changes + 1
)


@dataclass(frozen=True)
class Filling:
    """So many numbered streams, each with so many events of one form, in whose bytes id and number are replaced."""

    kind: str
    event: Event
    streams: int
    versions: int = 1
    first: int = 0
    ids: Sequence[str] = ()
    """Of the streams, where they are not those of `id_of`."""


FILL = """
WITH stream AS MATERIALIZED (
    SELECT n, coalesce((%(ids)s::text[])[n + 1], md5('bench' || n)::uuid::text) AS id
    FROM generate_series(%(first)s::int, %(first)s::int + %(streams)s::int - 1) n
), event AS (
    SELECT n, id, v,
           (crc32(convert_to(%(kind)s || '/' || id, 'UTF8')) %% (SELECT count(*) FROM heads))::smallint AS shard
    FROM stream CROSS JOIN generate_series(1, %(versions)s::int) v
)
INSERT INTO events (shard, sequence, stream, version, type, time, metadata, data)
SELECT shard, h.sequence + row_number() OVER (PARTITION BY shard ORDER BY v, n), %(kind)s || '/' || id, v,
       %(type)s, now(), %(metadata)s,
       convert_to(replace(replace(%(data)s, %(id)s, id), %(number)s, 'V-' || n), 'UTF8')
FROM event JOIN heads h USING (shard)
"""


def fill(url: str, filling: Filling) -> int:
    """Adds to a log as if so many commands had been carried out, while nobody else appends; returns how many events."""
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        connection.execute("SET synchronous_commit = off")
        values = {
            "ids": list(filling.ids),
            "first": filling.first,
            "streams": filling.streams,
            "versions": filling.versions,
            "kind": filling.kind,
            "type": filling.event.type,
            "metadata": METADATA.to_json(),
            "data": filling.event.model_dump_json(),
            "id": SPREAD_ID,
            "number": SPREAD_NUMBER,
        }
        with connection.transaction():
            connection.execute(FILL, values, prepare=False)
            connection.execute(
                "UPDATE heads h SET sequence = t.last "
                "FROM (SELECT shard, max(sequence) AS last FROM events GROUP BY shard) t WHERE t.shard = h.shard"
            )
        connection.execute("VACUUM (ANALYZE) events")
    return filling.streams * filling.versions
