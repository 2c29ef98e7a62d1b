"""Timers: what is to happen when its time has come."""

from alembic import op

revision = "chassis_0004"
down_revision = "chassis_0003"
branch_labels = None
depends_on = None

# `try_at` is `due` until a command could not be carried out; then it is when that is tried again.
TIMERS = """
CREATE TABLE timers (
    name text NOT NULL,
    id text NOT NULL,
    due timestamptz NOT NULL,
    try_at timestamptz NOT NULL,
    payload jsonb NOT NULL,
    metadata text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    error text,
    PRIMARY KEY (name, id)
);
CREATE INDEX timers_try_at ON timers (try_at);
"""


def upgrade() -> None:
    op.execute(TIMERS)
