"""Sessions of remote assistance."""

from shared.db.script import execute_script

revision = "dispatch_0016"
down_revision = "dispatch_0015"
branch_labels = None
depends_on = None

_REMOTE = """
CREATE TABLE remote_session (
    id uuid PRIMARY KEY,
    ticket_id uuid NOT NULL REFERENCES ticket,
    episode integer NOT NULL,
    url text CHECK (url LIKE 'https://%'),
    started_by text NOT NULL,
    started_at timestamptz NOT NULL,
    invited_at timestamptz,
    ended_by text,
    ended_at timestamptz,
    participants jsonb NOT NULL,
    with_customer boolean NOT NULL,
    recording_url text CHECK (recording_url LIKE 'https://%'),
    CHECK ((ended_by IS NULL) = (ended_at IS NULL))
);
CREATE INDEX remote_session_ticket ON remote_session (ticket_id, id);
CREATE UNIQUE INDEX remote_session_one_goes_on ON remote_session (ticket_id) WHERE ended_at IS NULL;
REVOKE DELETE ON remote_session FROM {role};
"""


def upgrade() -> None:
    execute_script(_REMOTE)
