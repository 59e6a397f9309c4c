"""The urgent policy, major solutions, and what the desk tells of incidents."""

from shared.db.script import execute_script

revision = "dispatch_0007"
down_revision = "dispatch_0006"
branch_labels = None
depends_on = None

_URGENT = """
CREATE TABLE urgent_policy (
    version integer PRIMARY KEY CHECK (version >= 1),
    body jsonb NOT NULL,
    note text NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL
);
REVOKE UPDATE, DELETE ON urgent_policy FROM {role};

CREATE TABLE solution (
    id uuid PRIMARY KEY,
    ticket_id uuid NOT NULL REFERENCES ticket,
    episode integer NOT NULL,
    text text NOT NULL,
    cost bigint CHECK (cost >= 0),
    currency text NOT NULL,
    grounds jsonb NOT NULL,
    flags jsonb NOT NULL,
    policy_version integer NOT NULL,
    state text NOT NULL
        CHECK (state IN ('proposed', 'approved', 'rejected', 'withdrawn', 'superseded', 'not_needed')),
    proposed_by text NOT NULL,
    proposer_id uuid,
    proposed_at timestamptz NOT NULL,
    leader_ids jsonb NOT NULL,
    decided_by text,
    decided_at timestamptz,
    note text NOT NULL,
    CHECK ((state = 'not_needed') = (flags = '[]')),
    CHECK ((state IN ('proposed', 'not_needed')) = (decided_by IS NULL)),
    CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
    CONSTRAINT solution_of_ones_own CHECK (state <> 'approved' OR decided_by <> proposed_by)
);
CREATE INDEX solution_ticket ON solution (ticket_id, id);
CREATE UNIQUE INDEX solution_one_waits ON solution (ticket_id) WHERE state = 'proposed';
REVOKE DELETE ON solution FROM {role};

CREATE TABLE incident_told (
    incident_id uuid PRIMARY KEY,
    title text NOT NULL,
    cause text NOT NULL,
    recovery_at timestamptz,
    ended boolean NOT NULL,
    version bigint NOT NULL
);
CREATE TABLE incident_link (
    request_id uuid NOT NULL,
    incident_id uuid NOT NULL,
    linked boolean NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (request_id, incident_id)
);
CREATE INDEX incident_link_incident ON incident_link (incident_id);
"""


def upgrade() -> None:
    execute_script(_URGENT)
