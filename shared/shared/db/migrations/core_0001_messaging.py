"""Events out and in, idempotency, audit; partitions that a service may extend but not otherwise touch."""

from shared.db.script import execute_script

revision = "core_0001"
down_revision = None
branch_labels = ("core",)
depends_on = None

# The first 48 bits of a UUIDv7 are its time, so a range of time is a range of ids.
_PARTITIONS = """
CREATE FUNCTION id_floor(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

CREATE FUNCTION keep_partitions(parent text, keep interval) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp SET lock_timeout = '2s' SET timezone = 'UTC'
AS $$
DECLARE
    month timestamptz := date_trunc('month', now() - keep);
    expired text;
BEGIN
    IF parent NOT IN ('event_log', 'inbox', 'audit') THEN
        RAISE EXCEPTION '% is not a partitioned table of this service', parent;
    END IF;
    IF keep < interval '30 days' THEN
        RAISE EXCEPTION 'keeping less than 30 days would lose events that may still be delivered';
    END IF;
    FOR expired IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = parent::regclass AND relname < parent || to_char(month, '_YYYYMM')
    LOOP
        EXECUTE format('DROP TABLE %I', expired);
    END LOOP;
    IF parent <> 'inbox' THEN  -- only others' events may be older than this schema
        month := greatest(month, date_trunc('month', now() - interval '1 day'));
    END IF;
    WHILE month < now() + interval '2 months' LOOP
        IF to_regclass(parent || to_char(month, '_YYYYMM')) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                parent || to_char(month, '_YYYYMM'), parent,
                id_floor(month), id_floor(month + interval '1 month'));
            EXECUTE format('REVOKE ALL ON %I FROM {role}', parent || to_char(month, '_YYYYMM'));
        END IF;
        month := month + interval '1 month';
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION keep_partitions(text, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keep_partitions(text, interval) TO {role};
"""

_TABLES = """
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE ON SEQUENCES TO {role};

CREATE TABLE event_log (
    id uuid PRIMARY KEY,
    type text NOT NULL,
    subject text NOT NULL,
    sequence bigint NOT NULL CHECK (sequence >= 0),
    lane text NOT NULL CHECK (lane IN ('live', 'bulk')),
    body text NOT NULL
) PARTITION BY RANGE (id);
CREATE INDEX event_log_subject ON event_log (subject, sequence);

CREATE TABLE outbox (
    event_id uuid NOT NULL,
    type text NOT NULL,
    lane text NOT NULL CHECK (lane IN ('live', 'bulk')),
    attempts integer NOT NULL DEFAULT 0,
    retry_at timestamptz,
    PRIMARY KEY (lane, event_id)  -- so that what is live is found behind any amount of bulk
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE TABLE delivery (
    event_id uuid NOT NULL,
    subscriber text NOT NULL,
    lane text NOT NULL CHECK (lane IN ('live', 'bulk')),
    PRIMARY KEY (subscriber, lane, event_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE TABLE inbox (
    event_id uuid PRIMARY KEY,
    type text NOT NULL,
    received_at timestamptz NOT NULL
) PARTITION BY RANGE (event_id);

CREATE TABLE parked (
    event_id uuid PRIMARY KEY,
    type text NOT NULL,
    subject text NOT NULL,
    lane text NOT NULL CHECK (lane IN ('live', 'bulk')),
    body bytea NOT NULL,
    attempts integer NOT NULL CHECK (attempts >= 0),
    next_attempt_at timestamptz NOT NULL,
    error text NOT NULL
);
CREATE INDEX parked_due ON parked (next_attempt_at);

CREATE TABLE dead_letter (
    id uuid PRIMARY KEY,
    event_id uuid,
    reason text NOT NULL,
    error text NOT NULL,
    attempts integer NOT NULL,
    lane text NOT NULL CHECK (lane IN ('live', 'bulk')),
    body bytea NOT NULL,
    digest bytea NOT NULL UNIQUE
);

CREATE TABLE idempotency (
    principal text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    body_hash bytea NOT NULL,
    status smallint,
    headers jsonb,
    body bytea,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (principal, route, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE audit (
    id uuid PRIMARY KEY,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    detail jsonb NOT NULL
) PARTITION BY RANGE (id);
CREATE INDEX audit_subject ON audit (subject);

REVOKE UPDATE, DELETE ON event_log, inbox, audit FROM {role};
REVOKE ALL ON alembic_version FROM {role};
GRANT SELECT ON alembic_version TO {role};
"""


_RETENTION = """
SELECT keep_partitions('event_log', interval '90 days');
SELECT keep_partitions('inbox', interval '120 days');
SELECT keep_partitions('audit', interval '730 days');
"""


def upgrade() -> None:
    execute_script(_TABLES + _PARTITIONS + _RETENTION)
