"""Messages and suppressed addresses."""

from alembic import op

revision = "notifications_0001"
down_revision = None
branch_labels = ("notifications",)
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE messages (
            id text PRIMARY KEY,
            cause text NOT NULL,
            template text NOT NULL,
            contact_id text,
            channel text NOT NULL,
            contract_id text NOT NULL,
            contract_number text NOT NULL,
            portal_id text,
            variables jsonb NOT NULL,
            correlation_id text,
            traceparent text,
            state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sending', 'sent', 'failed')),
            attempts integer NOT NULL DEFAULT 0,
            resends integer NOT NULL DEFAULT 0,
            language text,
            reason text,
            reply text,
            created_at timestamptz NOT NULL,
            next_attempt_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            settled_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX messages_due ON messages (next_attempt_at) WHERE state IN ('waiting', 'sending')")
    op.execute("CREATE INDEX messages_newest ON messages (created_at DESC, id DESC)")
    op.execute("CREATE INDEX messages_of_contact ON messages (contact_id, created_at DESC, id DESC)")
    op.execute("CREATE INDEX messages_failed ON messages (created_at DESC, id DESC) WHERE state = 'failed'")
    op.execute(
        """
        CREATE TABLE suppressions (
            address_hash bytea PRIMARY KEY,
            message_id text NOT NULL,
            reason text NOT NULL,
            suppressed_at timestamptz NOT NULL
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE suppressions")
    op.execute("DROP TABLE messages")
