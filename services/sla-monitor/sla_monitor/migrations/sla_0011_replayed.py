"""What became of each promise in a replay, so that the board can look at a history."""

from __future__ import annotations

from shared.db.script import execute_script

revision = "sla_0011"
down_revision = "sla_0010"
branch_labels = None
depends_on = None

# Of the ruling that was tried. A replay of which an older version did a part lacks some, and never gets
# `choices`: what the board may filter by, and the sign that all of it is here.
_REPLAYED = """
CREATE TABLE replay_clock (
    replay_id uuid NOT NULL REFERENCES replay,
    subject_id uuid NOT NULL,
    promise text NOT NULL,
    occurrence bigint NOT NULL,
    name text NOT NULL,
    region text NOT NULL,
    team text NOT NULL,
    channel text NOT NULL,
    severity text NOT NULL,
    is_response boolean NOT NULL,
    outcome text NOT NULL,
    deadline timestamptz NOT NULL,
    stopped_at timestamptz,
    late interval CHECK ((late IS NOT NULL) = (outcome = 'breached')),
    hour smallint CHECK ((hour IS NOT NULL) = (outcome = 'breached')),
    PRIMARY KEY (replay_id, subject_id, promise, occurrence)
);
CREATE INDEX replay_clock_latest ON replay_clock (replay_id, late DESC, subject_id)
    WHERE outcome = 'breached';
ALTER TABLE replay ADD choices jsonb;
CREATE INDEX replay_kept ON replay (asked_at, id) WHERE choices IS NOT NULL;

REVOKE UPDATE ON replay_clock FROM {role};
"""


def upgrade() -> None:
    execute_script(_REPLAYED)
