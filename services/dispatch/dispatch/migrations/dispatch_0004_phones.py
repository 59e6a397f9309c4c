"""What engineers did on their phones without a network, once each, with what became of it."""

from shared.db.script import execute_script

revision = "dispatch_0004"
down_revision = "dispatch_0003"
branch_labels = None
depends_on = None

_PHONES = """
CREATE TABLE phone_command (
    person text NOT NULL,
    id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    name text NOT NULL,
    sent jsonb NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    done_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('applied', 'already', 'conflict', 'refused')),
    version bigint,
    problem jsonb,
    settled_at timestamptz,
    PRIMARY KEY (person, id),
    CHECK ((outcome IN ('applied', 'already')) <= (version IS NOT NULL))
);
CREATE INDEX phone_command_open ON phone_command (person, id)
    WHERE outcome IN ('conflict', 'refused') AND settled_at IS NULL;
CREATE INDEX phone_command_ticket ON phone_command (ticket_id, id) WHERE outcome = 'conflict';
COMMENT ON TABLE phone_command IS
    'What engineers did on their phones, once each; a conflict is open until its person settles it.';
REVOKE DELETE ON phone_command FROM {role};
"""


def upgrade() -> None:
    execute_script(_PHONES)
