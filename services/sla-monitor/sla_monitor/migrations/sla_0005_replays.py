"""Imported histories and what-if replays."""

from __future__ import annotations

from shared.db.script import execute_script

revision = "sla_0005"
down_revision = "sla_0004"
branch_labels = None
depends_on = None

_REPLAYS = """
-- Apart from `history`: nothing here starts a clock, an alert or a message.
CREATE TABLE imported_history (
    subject_id uuid PRIMARY KEY,
    source text NOT NULL,
    ticket text NOT NULL,
    event_id uuid NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL CHECK (first_at <= last_at),
    happenings jsonb NOT NULL,
    UNIQUE (source, ticket)
);
CREATE INDEX imported_history_in_order ON imported_history (source, first_at, subject_id);
CREATE INDEX subject_in_order ON subject (first_at, id);

CREATE TABLE replay (
    id uuid PRIMARY KEY,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    policy jsonb NOT NULL,
    policy_version integer REFERENCES policy_version,
    against_version integer REFERENCES policy_version,
    calendar text,
    calendar_version integer,
    source text,
    begins timestamptz NOT NULL,
    ends timestamptz NOT NULL CHECK (begins < ends),
    until timestamptz,
    total integer NOT NULL CHECK (total >= 0),
    reached_at timestamptz,
    reached_id uuid,
    tally jsonb NOT NULL,
    finished_at timestamptz,
    failure text,
    version bigint NOT NULL CHECK (version > 0),
    CHECK ((calendar IS NULL) = (calendar_version IS NULL)),
    CHECK ((reached_at IS NULL) = (reached_id IS NULL)),
    CHECK ((failure IS NOT NULL) <= (finished_at IS NOT NULL)),
    FOREIGN KEY (calendar, calendar_version) REFERENCES calendar_version
);
CREATE INDEX replay_unfinished ON replay (asked_at, id) WHERE finished_at IS NULL;
CREATE INDEX replay_asked ON replay (asked_at, id);
CREATE TABLE replay_change (
    replay_id uuid NOT NULL REFERENCES replay,
    subject_id uuid NOT NULL,
    promise text NOT NULL,
    occurrence bigint NOT NULL,
    name text NOT NULL,
    region text NOT NULL,
    team text NOT NULL,
    outcome_before text,
    outcome_after text,
    deadline_before timestamptz,
    deadline_after timestamptz,
    reasons jsonb NOT NULL,
    PRIMARY KEY (replay_id, subject_id, promise, occurrence)
);

REVOKE DELETE ON imported_history, replay FROM {role};
REVOKE UPDATE, DELETE ON replay_change FROM {role};
"""


def upgrade() -> None:
    execute_script(_REPLAYS)
