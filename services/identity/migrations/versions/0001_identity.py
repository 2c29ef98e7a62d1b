"""Secrets of identity, which are never in events: private signing keys and the hashes of machines' secrets."""

from alembic import op

revision = "identity_0001"
down_revision = None
branch_labels = ("identity",)
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE signing_keys (
            key_id text PRIMARY KEY,
            wrapped bytea NOT NULL,
            signs_from timestamptz NOT NULL
        );
        CREATE TABLE machines (
            machine_id text PRIMARY KEY,
            name text NOT NULL,
            role text NOT NULL,
            secret_sha256 bytea NOT NULL
        );
        """
    )
