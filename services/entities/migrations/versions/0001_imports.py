"""Reports of imports; the latest ones are kept."""

from alembic import op

revision = "entities_0001"
down_revision = None
branch_labels = ("entities",)
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE imports (
            id text PRIMARY KEY,
            fingerprint text NOT NULL,
            completed_at timestamptz NOT NULL,
            report jsonb NOT NULL
        );
        CREATE INDEX imports_completed_at ON imports (completed_at);
        """
    )
