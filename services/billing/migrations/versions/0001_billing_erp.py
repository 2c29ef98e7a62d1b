"""Of the way in for the ERP: ids that it has seen, messages that wait for their contract, messages that do not fit."""

from alembic import op

revision = "billing_0001"
down_revision = None
branch_labels = ("billing",)
depends_on = None

TABLES = """
CREATE TABLE erp_inbox (
    source text NOT NULL,
    id text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, id)
);
CREATE TABLE erp_waiting (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract text NOT NULL,
    contract_id text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    key bytea,
    value bytea,
    headers bytea NOT NULL,
    timestamp_ms bigint NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX erp_waiting_contract ON erp_waiting (contract_id, id);
CREATE INDEX erp_waiting_partition ON erp_waiting (partition, id);
CREATE TABLE erp_rejects (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL,
    facts jsonb NOT NULL,
    contract text,
    source text,
    message_id text,
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    key bytea,
    value bytea,
    headers bytea NOT NULL,
    timestamp_ms bigint NOT NULL,
    rejected_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz
);
CREATE INDEX erp_rejects_unpublished ON erp_rejects (id) WHERE published_at IS NULL;
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("DROP TABLE erp_rejects, erp_waiting, erp_inbox")
