"""Levels of support, and repair plans that are signed off."""

from shared.db.script import execute_script

revision = "dispatch_0017"
down_revision = "dispatch_0016"
branch_labels = None
depends_on = None

# Old code opens tickets at the first level and leaves a level as it is.
_SUPPORT = """
ALTER TABLE ticket
    ADD support_level text NOT NULL DEFAULT 'l1' CHECK (support_level IN ('l1', 'l2', 'rnd')),
    ADD helper_id uuid REFERENCES person;
CREATE INDEX ticket_helper ON ticket (helper_id, id) WHERE helper_id IS NOT NULL;

CREATE TABLE support_policy (
    version integer PRIMARY KEY CHECK (version >= 1),
    body jsonb NOT NULL,
    note text NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL
);
REVOKE UPDATE, DELETE ON support_policy FROM {role};

CREATE TABLE repair_plan (
    ticket_id uuid NOT NULL REFERENCES ticket,
    episode integer NOT NULL CHECK (episode >= 1),
    number integer NOT NULL CHECK (number >= 1),
    steps jsonb NOT NULL,
    minutes integer NOT NULL CHECK (minutes > 0),
    parts jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('proposed', 'signed', 'sent_back', 'superseded')),
    by text NOT NULL,
    at timestamptz NOT NULL,
    decided_by text,
    decided_at timestamptz,
    reason text NOT NULL,
    PRIMARY KEY (ticket_id, episode, number),
    CONSTRAINT repair_plan_nobody_signs_their_own CHECK (decided_by <> by)
);
CREATE UNIQUE INDEX repair_plan_holds ON repair_plan (ticket_id, episode)
    WHERE state IN ('proposed', 'signed');
REVOKE DELETE ON repair_plan FROM {role};
"""


def upgrade() -> None:
    execute_script(_SUPPORT)
