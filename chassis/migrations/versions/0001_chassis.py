"""The event log, its one append function, relay cursors, checkpoints and parked records."""

from alembic import op

revision = "chassis_0001"
down_revision = None
branch_labels = ("chassis",)
depends_on = None

LOG = """
CREATE TABLE heads (
    shard smallint PRIMARY KEY,
    sequence bigint NOT NULL DEFAULT 0
);
CREATE TABLE events (
    shard smallint NOT NULL,
    sequence bigint NOT NULL,
    stream text NOT NULL,
    version integer NOT NULL,
    type text NOT NULL,
    time timestamptz NOT NULL,
    metadata text NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (shard, sequence),
    UNIQUE (stream, version)
);
CREATE VIEW readable_events AS
    SELECT shard, sequence, stream, version, type, time, metadata::jsonb AS metadata,
           convert_from(data, 'UTF8')::jsonb AS data
    FROM events;
CREATE TABLE commands (
    key text PRIMARY KEY,
    fingerprint text NOT NULL,
    stream text NOT NULL,
    first_version integer NOT NULL,
    last_version integer NOT NULL,
    shard smallint NOT NULL,
    sequence bigint NOT NULL,
    time timestamptz NOT NULL
);
CREATE INDEX commands_time ON commands (time);
"""

# One call appends a group of commands. The head rows of its shards are the locks: whoever holds one hands out the next
# sequences, and a transaction that rolls back hands them back, so that a shard never has a gap. An item is a command
# for one stream; each stream occurs once in a call. The arrays of events name their item and their place in it.
# Whether a key was used is a scalar question: for EXISTS PostgreSQL may read all commands, and hash them, at each call.
APPEND = """
CREATE FUNCTION append_events(
    p_shards smallint[], p_streams text[], p_expected integer[], p_counts integer[], p_times timestamptz[],
    p_keys text[], p_fingerprints text[],
    p_items integer[], p_places integer[], p_types text[], p_metadata text[], p_data bytea[]
) RETURNS TABLE (status text, last_sequence bigint, stream_version integer)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM heads h WHERE h.shard = ANY (p_shards) ORDER BY h.shard FOR UPDATE;
    RETURN QUERY
    WITH item AS MATERIALIZED (
        SELECT u.*,
               coalesce((SELECT e.version FROM events e WHERE e.stream = u.stream ORDER BY e.version DESC LIMIT 1), 0)
                   AS actual,
               coalesce((SELECT true FROM commands c WHERE c.key = u.key), false) AS repeated
        FROM unnest(p_shards, p_streams, p_expected, p_counts, p_times, p_keys, p_fingerprints)
             WITH ORDINALITY AS u(shard, stream, expected, n, time, key, fingerprint, number)
    ), accepted AS MATERIALIZED (
        SELECT i.*, h.sequence + sum(i.n) OVER (PARTITION BY i.shard ORDER BY i.number) - i.n AS before
        FROM item i JOIN heads h USING (shard) WHERE NOT i.repeated AND i.actual = i.expected
    ), inserted AS (
        INSERT INTO events (shard, sequence, stream, version, type, time, metadata, data)
        SELECT a.shard, a.before + x.place, a.stream, a.expected + x.place, x.type, a.time, x.metadata, x.data
        FROM unnest(p_items, p_places, p_types, p_metadata, p_data) AS x(item, place, type, metadata, data)
        JOIN accepted a ON a.number = x.item
    ), advanced AS (
        UPDATE heads h SET sequence = h.sequence + t.n
        FROM (SELECT a.shard, sum(a.n) AS n FROM accepted a GROUP BY a.shard) t
        WHERE h.shard = t.shard
    ), keyed AS (
        INSERT INTO commands (key, fingerprint, stream, first_version, last_version, shard, sequence, time)
        SELECT a.key, a.fingerprint, a.stream, a.expected + 1, a.expected + a.n, a.shard, a.before + a.n, a.time
        FROM accepted a WHERE a.key IS NOT NULL
        ON CONFLICT DO NOTHING
    )
    SELECT CASE WHEN i.repeated THEN 'repeated' WHEN a.number IS NULL THEN 'refused' ELSE 'appended' END,
           (a.before + a.n)::bigint,
           CASE WHEN a.number IS NULL THEN i.actual ELSE i.expected + i.n END
    FROM item i LEFT JOIN accepted a USING (number)
    ORDER BY i.number;
END $$;
"""

RELAY = """
CREATE TABLE relay_cursors (
    shard smallint PRIMARY KEY,
    sequence bigint NOT NULL DEFAULT 0
);
"""

CONSUMERS = """
CREATE TABLE checkpoints (
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    sequence bigint NOT NULL DEFAULT 0,
    next_offset bigint NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (consumer, topic, partition)
);
CREATE TABLE parked (
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    stream text NOT NULL,
    error text NOT NULL,
    key bytea,
    value bytea,
    headers jsonb NOT NULL,
    timestamp_ms bigint NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, topic, partition, record_offset)
);
CREATE INDEX parked_stream ON parked (consumer, stream);

CREATE FUNCTION begin_batch(p_consumer text, p_topic text, p_partition integer, p_durable boolean, p_streams text[])
RETURNS TABLE (fence bigint, sequence bigint, parked_streams text[])
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT p_durable THEN
        PERFORM set_config('synchronous_commit', 'off', true);
    END IF;
    -- The lock is a statement of its own: what a retry has unparked by then must be seen by the next one.
    PERFORM FROM checkpoints c
    WHERE c.consumer = p_consumer AND c.topic = p_topic AND c.partition = p_partition
    FOR UPDATE;
    RETURN QUERY
    SELECT c.fence, c.sequence,
           ARRAY(SELECT DISTINCT p.stream FROM parked p WHERE p.consumer = p_consumer AND p.stream = ANY (p_streams))
    FROM checkpoints c
    WHERE c.consumer = p_consumer AND c.topic = p_topic AND c.partition = p_partition;
END $$;
"""


def upgrade() -> None:
    for statements in (LOG, APPEND, RELAY, CONSUMERS):
        op.execute(statements)
