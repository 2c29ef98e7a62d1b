"""The chain of seals over each shard's events."""

from alembic import op

revision = "chassis_0002"
down_revision = "chassis_0001"
branch_labels = None
depends_on = None

# A seal covers everything up to `last`; the one before ends at `first` - 1. Only one can follow another.
SEALS = """
CREATE TABLE seals (
    shard smallint NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL CHECK (last >= first),
    seal bytea NOT NULL,
    signature bytea,
    sealed_at timestamptz NOT NULL,
    PRIMARY KEY (shard, first)
);
"""


def upgrade() -> None:
    op.execute(SEALS)
