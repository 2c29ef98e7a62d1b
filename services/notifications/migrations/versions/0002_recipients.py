"""Messages to portal users, staff and submitters, also without a contract, with other links than to a contract."""

from alembic import op

revision = "notifications_0002"
down_revision = "notifications_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE messages
            ALTER contract_id DROP NOT NULL,
            ALTER contract_number DROP NOT NULL,
            ADD recipient_kind text NOT NULL DEFAULT 'contact'
                CHECK (recipient_kind IN ('contact', 'user', 'staff', 'submission')),
            ADD recipient_id text,
            ADD audience text DEFAULT 'customer',
            ADD link_kind text NOT NULL DEFAULT 'contract',
            ADD link_target jsonb NOT NULL DEFAULT '{}',
            ADD submission_id text,
            ADD effect integer,
            ADD lifetime interval NOT NULL DEFAULT '72 hours'
        """
    )
    op.execute("CREATE INDEX messages_of_submission ON messages (submission_id) WHERE submission_id IS NOT NULL")


def downgrade() -> None:
    op.execute("DELETE FROM messages WHERE contract_id IS NULL OR contract_number IS NULL")
    op.execute(
        """
        ALTER TABLE messages
            ALTER contract_id SET NOT NULL,
            ALTER contract_number SET NOT NULL,
            DROP recipient_kind, DROP recipient_id, DROP audience, DROP link_kind, DROP link_target,
            DROP submission_id, DROP effect, DROP lifetime
        """
    )
