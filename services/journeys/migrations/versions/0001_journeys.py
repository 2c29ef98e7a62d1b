"""Drafts of submissions, and files that were sent to them."""

from alembic import op

revision = "journeys_0001"
down_revision = None
branch_labels = ("journeys",)
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE drafts (
            id text PRIMARY KEY,
            reference text NOT NULL UNIQUE,
            revision integer NOT NULL DEFAULT 0,
            journey_id text NOT NULL,
            journey_version integer NOT NULL,
            portal_id text NOT NULL,
            language text NOT NULL,
            person text NOT NULL,
            subject text,
            contact_id text,
            secret_hash bytea,
            action text,
            context jsonb,
            task jsonb,
            answers jsonb,
            done text[] NOT NULL DEFAULT '{}',
            begun_at timestamptz NOT NULL,
            changed_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            submitted_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX drafts_expire ON drafts (expires_at)")
    op.execute("CREATE INDEX drafts_of_person ON drafts (person)")
    op.execute("CREATE INDEX drafts_of_subject ON drafts (subject, changed_at DESC) WHERE submitted_at IS NULL")
    op.execute(
        """
        CREATE TABLE files (
            id text PRIMARY KEY,
            submission_id text NOT NULL,
            upload_id text NOT NULL,
            field text NOT NULL,
            person text NOT NULL,
            subject text,
            contact_id text,
            object text NOT NULL,
            name jsonb NOT NULL,
            media_type text NOT NULL,
            size_bytes bigint NOT NULL,
            sha256 text NOT NULL,
            state text NOT NULL CHECK (state IN ('receiving', 'stored', 'submitted', 'doomed')),
            changed_at timestamptz NOT NULL,
            UNIQUE (submission_id, upload_id)
        )
        """
    )
    op.execute("CREATE INDEX files_of_person ON files (person)")
    op.execute("CREATE INDEX files_doomed ON files (changed_at) WHERE state = 'doomed'")
    op.execute("CREATE INDEX files_unsubmitted ON files (changed_at) WHERE state IN ('receiving', 'stored')")


def downgrade() -> None:
    op.execute("DROP TABLE files")
    op.execute("DROP TABLE drafts")
