"""Portal users and staff as far as they are secret, unique or only passing: nothing of it is in events."""

from alembic import op

revision = "identity_0002"
down_revision = "identity_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE users (
            user_id text PRIMARY KEY,
            portal_id text NOT NULL,
            email text NOT NULL,
            contact_id text,
            UNIQUE (portal_id, email)
        );
        CREATE INDEX users_email ON users (email);
        CREATE INDEX users_contact ON users (contact_id);
        CREATE TABLE staff (
            staff_id text PRIMARY KEY,
            email text NOT NULL UNIQUE
        );
        CREATE TABLE passwords (
            subject text PRIMARY KEY,
            phc text NOT NULL
        );
        CREATE TABLE chosen_passwords (
            subject text PRIMARY KEY,
            phc text
        );
        CREATE TABLE links (
            token_sha256 bytea PRIMARY KEY,
            kind text NOT NULL,
            subject text NOT NULL,
            portal_id text,
            phc text,
            made_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            used_at timestamptz
        );
        CREATE INDEX links_subject ON links (subject, kind, made_at);
        CREATE INDEX links_expires_at ON links (expires_at);
        CREATE TABLE sessions (
            session_sha256 bytea PRIMARY KEY,
            subject text NOT NULL,
            portal_id text,
            epoch integer NOT NULL,
            began_at timestamptz NOT NULL,
            used_at timestamptz NOT NULL
        );
        CREATE INDEX sessions_subject ON sessions (subject);
        CREATE INDEX sessions_used_at ON sessions (used_at);
        CREATE TABLE sign_in_attempts (
            account_sha256 bytea PRIMARY KEY,
            failures integer NOT NULL,
            last_at timestamptz NOT NULL,
            locked_until timestamptz
        );
        CREATE INDEX sign_in_attempts_last_at ON sign_in_attempts (last_at);
        CREATE TABLE wishes (
            wish_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            kind text NOT NULL,
            portal_id text NOT NULL,
            email text NOT NULL,
            details jsonb NOT NULL,
            tries integer NOT NULL DEFAULT 0,
            due_at timestamptz NOT NULL
        );
        CREATE INDEX wishes_due_at ON wishes (due_at);
        CREATE TABLE matching (
            email text PRIMARY KEY,
            asked integer NOT NULL DEFAULT 1,
            tries integer NOT NULL DEFAULT 0,
            due_at timestamptz NOT NULL
        );
        CREATE INDEX matching_due_at ON matching (due_at);
        """
    )
