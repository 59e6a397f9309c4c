"""Who is told of an alert, by which way, and what became of it."""

from __future__ import annotations

from shared.db.script import execute_script

revision = "sla_0004"
down_revision = "sla_0003"
branch_labels = None
depends_on = None

_ALERTS = """
ALTER TABLE alert
    ADD COLUMN assigned_to uuid,
    ADD COLUMN snoozed_until timestamptz,
    ADD COLUMN snooze_reason text,
    ADD CHECK ((snoozed_until IS NULL) = (snooze_reason IS NULL)),
    ADD CHECK (snoozed_until IS NULL OR acknowledged_at IS NULL);
CREATE INDEX alert_snoozed ON alert (snoozed_until) WHERE snoozed_until IS NOT NULL;

CREATE TABLE alert_deed (
    id uuid PRIMARY KEY,
    alert_id uuid NOT NULL REFERENCES alert,
    at timestamptz NOT NULL,
    deed text NOT NULL
        CHECK (deed IN ('acknowledged', 'snoozed', 'returned', 'assigned', 'escalated', 'retracted')),
    by text,
    detail jsonb NOT NULL
);
CREATE INDEX alert_deed_of ON alert_deed (alert_id, id);

-- A row is a step of the ladder above the breach that is still waited for.
CREATE TABLE escalation (
    alert_id uuid NOT NULL REFERENCES alert,
    minutes integer NOT NULL CHECK (minutes > 0),
    due_at timestamptz NOT NULL,
    tell jsonb NOT NULL,
    PRIMARY KEY (alert_id, minutes)
);
CREATE INDEX escalation_due ON escalation (due_at);
"""

_SINKS = """
CREATE TABLE sink (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    name text NOT NULL,
    config jsonb NOT NULL,
    secret text NOT NULL,
    terms jsonb NOT NULL,
    enabled boolean NOT NULL,
    retired_at timestamptz,
    failures integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    resume_at timestamptz,
    last_error text,
    last_sent_at timestamptz,
    version bigint NOT NULL CHECK (version > 0),
    CHECK ((failures > 0) = (failing_since IS NOT NULL))
);
CREATE UNIQUE INDEX sink_name ON sink (name) WHERE retired_at IS NULL;

CREATE TABLE message (
    id uuid PRIMARY KEY,
    sink_id uuid NOT NULL REFERENCES sink,
    what text NOT NULL,
    group_key text NOT NULL,
    body jsonb NOT NULL,
    made_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'failed', 'unknown', 'given_up')),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    retry_until timestamptz NOT NULL,
    sent_at timestamptz,
    last_error text,
    CHECK ((next_attempt_at IS NOT NULL) = (state IN ('pending', 'sending', 'failed')))
);
CREATE INDEX message_due ON message (sink_id, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX message_unsent ON message (sink_id, state) WHERE state <> 'sent';
CREATE INDEX message_group ON message (sink_id, group_key, made_at);
CREATE INDEX message_of_sink ON message (sink_id, made_at, id);

CREATE TABLE notice (
    id uuid PRIMARY KEY,
    alert_id uuid NOT NULL REFERENCES alert,
    sink_id uuid NOT NULL REFERENCES sink,
    rung text NOT NULL,
    what text NOT NULL CHECK (what IN
        ('warning', 'breach', 'escalation', 'returned', 'assignment', 'retraction', 'ended')),
    tell jsonb NOT NULL,
    owner text NOT NULL,
    region text NOT NULL,
    promise text NOT NULL,
    raised_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'told', 'moot')),
    message_id uuid REFERENCES message,
    UNIQUE (alert_id, rung, sink_id),
    CHECK ((state = 'told') = (message_id IS NOT NULL)),
    CHECK (what <> 'breach' OR state <> 'moot')
);
CREATE INDEX notice_waiting ON notice (sink_id, raised_at) WHERE state = 'waiting';
CREATE INDEX notice_told ON notice (message_id) WHERE message_id IS NOT NULL;

REVOKE UPDATE, DELETE ON alert_deed FROM {role};
REVOKE DELETE ON sink, message, notice FROM {role};
"""


def upgrade() -> None:
    execute_script(_ALERTS + _SINKS)
