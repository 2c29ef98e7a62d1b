"""pyeventsourcing on PostgreSQL with its default, lossless recorder; prints what it measured as one line of JSON.

Run by the peers' own interpreter; it knows nothing of Portico. The database is named by POSTGRES_... variables.
"""

# mypy: ignore-errors
# Its library is in the peers' interpreter only.

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable
from itertools import count
from uuid import UUID, uuid4

from eventsourcing.application import Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import StoredEvent, Tracking
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL, Identifier

BATCH = 100
FILL_AT_ONCE = 500
LIMIT_SECONDS = 600
#: Fewer fields than Portico's event, because it stores its own beside them: both have about 250 bytes.
FACTS = {
    "contract_number": "V-1001",
    "amount_cents": 6_500,
    "currency": "EUR",
    "effective_from": "2026-12-01",
}


class Instalments(Aggregate):
    """The instalments of a contract."""

    @event("Begun")
    def __init__(self, portal_id: str, facts: dict[str, object]) -> None:
        self.portal_id = portal_id
        self.amount_cents = facts["amount_cents"]
        self.changes = 0

    @event("Changed")
    def change(self, portal_id: str, facts: dict[str, object]) -> None:
        self.amount_cents = facts["amount_cents"]
        self.changes += 1


class Billing(Application[UUID]):
    """Commands of the benchmark."""

    def begin(self, number: int) -> list[UUID]:
        begun = [Instalments("customers", FACTS) for _ in range(number)]
        self.save(*begun)
        return [instalments.id for instalments in begun]

    def change(self, id_: UUID) -> None:
        instalments: Instalments = self.repository.get(id_)
        if FACTS["amount_cents"] == 0:
            raise ValueError("a rule that is never broken")
        instalments.change("customers", FACTS)
        self.save(instalments)


class Amounts(PostgresTrackingRecorder):
    """The view: one row per contract, written in the transaction of its tracking record."""

    def __init__(self, datastore: PostgresDatastore, **kwargs: object) -> None:
        super().__init__(datastore, **kwargs)
        table = Identifier(self.tracking_table_name + "_amounts")
        self.sql_create_statements.append(
            SQL("CREATE TABLE IF NOT EXISTS {} (key uuid PRIMARY KEY, doc jsonb NOT NULL)").format(table)
        )
        self.upsert = SQL(
            "INSERT INTO {0} AS t (key, doc) VALUES (%s, %s::jsonb) "
            "ON CONFLICT (key) DO UPDATE SET doc = excluded.doc || "
            "jsonb_build_object('changes', (t.doc->>'changes')::int + 1)"
        ).format(table)

    def set_amount(self, key: UUID, amount_cents: int, tracking: Tracking) -> None:
        document = json.dumps({"amount_cents": amount_cents, "changes": 1})
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(self.upsert, (key, document), prepare=True)


class AmountsProjection(Projection[Amounts]):
    """Event by event, as the runner hands them over."""

    @singledispatchmethod
    def process_event(self, domain_event: object, tracking: Tracking) -> None:
        raise TypeError(type(domain_event))

    @process_event.register(Instalments.Begun)
    @process_event.register(Instalments.Changed)
    def _changed(self, domain_event: Instalments.Begun | Instalments.Changed, tracking: Tracking) -> None:
        self.view.set_amount(domain_event.originator_id, domain_event.facts["amount_cents"], tracking)


def side_by_side(threads: int, seconds: float, work: Callable[[int], int]) -> float:
    """Lets threads work for some seconds after a warm-up of a fifth; returns how much per second."""
    for length in (seconds / 5, seconds):
        done = [0] * threads
        started = time.perf_counter()

        def run(thread: int, until: float, done: list[int]) -> None:
            while time.perf_counter() < until:
                done[thread] += work(thread)

        workers = [threading.Thread(target=run, args=(n, started + length, done)) for n in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        rate = sum(done) / (time.perf_counter() - started)
    return rate


def command(app: Billing, options: argparse.Namespace) -> float:
    """Whole commands on streams that exist: load, decide, append. Each thread has streams of its own."""
    ids = [app.begin(FILL_AT_ONCE) for _ in range(max(options.threads, options.streams // FILL_AT_ONCE))]
    turns = [count() for _ in range(options.threads)]

    def work(thread: int) -> int:
        own = ids[thread :: options.threads]
        turn = next(turns[thread])
        app.change(own[turn // FILL_AT_ONCE % len(own)][turn % FILL_AT_ONCE])
        return 1

    return side_by_side(options.threads, options.seconds, work)


def batch(app: Billing, options: argparse.Namespace) -> float:
    """Appends of 100 encoded events to a new stream."""
    new = Instalments("customers", FACTS)
    (stored,) = [app.mapper.to_stored_event(pending) for pending in new.collect_events()]

    def work(_: int) -> int:
        originator = uuid4()
        app.recorder.insert_events(
            [StoredEvent(originator, version, stored.topic, stored.state) for version in range(1, BATCH + 1)]
        )
        return BATCH

    return side_by_side(options.threads, options.seconds, work)


def view(app: Billing, options: argparse.Namespace) -> float:
    """The projection runner from its start until it has taken all events."""
    for _ in range(0, options.events, FILL_AT_ONCE):
        app.begin(FILL_AT_ONCE)
    last = app.recorder.max_notification_id()
    with ProjectionRunner(application_class=Billing, projection_class=AmountsProjection, view_class=Amounts) as runner:
        recorder = runner.view
        begun = recorder.max_tracking_id(Billing.name) or 0
        started = time.perf_counter()
        recorder.wait(Billing.name, last, timeout=LIMIT_SECONDS)
        return (last - begun) / (time.perf_counter() - started)


MEASURES = {"command": command, "batch": batch, "view": view}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--streams", type=int, default=4_000)
    parser.add_argument("--events", type=int, default=4_000)
    options = parser.parse_args()
    with Billing() as app:
        if not isinstance(app.recorder, PostgresApplicationRecorder):
            raise SystemExit("PERSISTENCE_MODULE and POSTGRES_... do not name a database")
        size = len(app.mapper.to_stored_event(Instalments("customers", FACTS).collect_events()[0]).state)
        print(json.dumps({"rate": MEASURES[options.measure](app, options), "bytes": size}))


if __name__ == "__main__":
    main()
