"""What sla-monitor promised about tickets."""

from shared.db.script import execute_script

revision = "dispatch_0006"
down_revision = "dispatch_0005"
branch_labels = None
depends_on = None

_PROMISES = """
CREATE TABLE promise (
    id uuid PRIMARY KEY,
    ticket_id uuid NOT NULL,
    code text NOT NULL,
    due_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'paused', 'met', 'breached', 'cancelled')),
    version bigint NOT NULL
);
CREATE INDEX promise_owed ON promise (ticket_id) WHERE state IN ('running', 'paused', 'breached');
COMMENT ON TABLE promise IS
    'What sla-monitor promised about tickets; it may tell of one before the ticket''s row is here.';
REVOKE DELETE ON promise FROM {role};
"""


def upgrade() -> None:
    execute_script(_PROMISES)
