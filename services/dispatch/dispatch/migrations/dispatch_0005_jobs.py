"""Kinds of jobs with their checklists and hours, and what was done."""

from shared.db.script import execute_script

revision = "dispatch_0005"
down_revision = "dispatch_0004"
branch_labels = None
depends_on = None

# Old code opens tickets without them: what it opens is a repair until somebody plans it otherwise.
_JOBS = """
ALTER TABLE ticket
    ADD job_kind text NOT NULL DEFAULT 'repair'
        CHECK (job_kind IN ('repair', 'installation', 'commissioning', 'maintenance', 'training', 'upgrade',
                            'return_pickup', 'inspection')),
    ADD planned_minutes integer CHECK (planned_minutes > 0);
UPDATE ticket SET job_kind = CASE kind WHEN 'fault' THEN 'repair' WHEN 'installation' THEN 'installation'
    WHEN 'maintenance' THEN 'maintenance' WHEN 'upgrade' THEN 'upgrade'
    WHEN 'return_exchange' THEN 'return_pickup' ELSE 'inspection' END
WHERE kind <> 'fault';

CREATE TABLE job_catalogue (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    version bigint NOT NULL CHECK (version >= 1),
    document jsonb NOT NULL,
    at timestamptz NOT NULL,
    by text NOT NULL
);

CREATE TABLE checklist_tick (
    ticket_id uuid NOT NULL REFERENCES ticket,
    episode integer NOT NULL,
    item text NOT NULL,
    at timestamptz NOT NULL,
    by text NOT NULL,
    PRIMARY KEY (ticket_id, episode, item)
);

CREATE TABLE work_log (
    id uuid PRIMARY KEY,
    ticket_id uuid NOT NULL REFERENCES ticket,
    episode integer NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    remote boolean NOT NULL,
    text text NOT NULL,
    at timestamptz NOT NULL,
    by text NOT NULL,
    CHECK (began_at < ended_at)
);
CREATE INDEX work_log_ticket ON work_log (ticket_id, began_at);
REVOKE UPDATE, DELETE ON checklist_tick FROM {role};
REVOKE DELETE ON work_log FROM {role};
"""


def upgrade() -> None:
    execute_script(_JOBS)
