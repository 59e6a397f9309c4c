"""Visits that were not kept or go on with somebody else, and the links by which customers choose a time."""

from shared.db.script import execute_script

revision = "dispatch_0011"
down_revision = "dispatch_0010"
branch_labels = None
depends_on = None

_VISITS = """
ALTER TABLE visit
    DROP CONSTRAINT visit_state_check,
    ADD CONSTRAINT visit_state_check
        CHECK (state IN ('agreed', 'moved', 'kept', 'cancelled', 'no_show', 'handed_on', 'lapsed'));

CREATE TABLE visit_link (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    ticket_id uuid NOT NULL REFERENCES ticket,
    episode integer NOT NULL,
    expires_at timestamptz NOT NULL
);
"""


def upgrade() -> None:
    execute_script(_VISITS)
