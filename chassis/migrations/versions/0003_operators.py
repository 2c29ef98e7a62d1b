"""What operators' tools keep: views in use, rebuilds, events that were given up; parked records in their own order."""

from alembic import op

revision = "chassis_0003"
down_revision = "chassis_0002"
branch_labels = None
depends_on = None

# Offsets begin anew when a topic is lost and made again, so they neither order parked records nor tell them apart.
PARKED = """
ALTER TABLE parked DROP CONSTRAINT parked_pkey;
ALTER TABLE parked ADD COLUMN id bigserial PRIMARY KEY;
ALTER TABLE parked ADD COLUMN position text;
ALTER TABLE parked ADD COLUMN type text;
CREATE UNIQUE INDEX parked_nowhere ON parked (consumer, topic, partition, record_offset) WHERE position IS NULL;
CREATE TABLE dropped (
    consumer text NOT NULL,
    position text NOT NULL,
    stream text NOT NULL,
    type text,
    error text NOT NULL,
    actor text,
    dropped_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, position)
);
"""

VIEWS = """
CREATE TABLE views (
    name text NOT NULL,
    version integer NOT NULL,
    used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version)
);
CREATE TABLE rebuilds (
    id bigserial PRIMARY KEY,
    view text NOT NULL,
    version integer NOT NULL,
    source text NOT NULL CHECK (source IN ('topic', 'log')),
    actor text,
    started_at timestamptz NOT NULL DEFAULT now(),
    filled_at timestamptz,
    ended_at timestamptz,
    outcome text CHECK (outcome IN ('swapped', 'cancelled'))
);
CREATE UNIQUE INDEX rebuilds_running ON rebuilds (view, version) WHERE ended_at IS NULL;
"""


def upgrade() -> None:
    for statements in (PARKED, VIEWS):
        op.execute(statements)
