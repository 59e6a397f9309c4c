"""Shifts, certificates and substitutes; leave and duty; the assignment policy; what customers prefer."""

from shared.db.script import execute_script

revision = "dispatch_0003"
down_revision = "dispatch_0002"
branch_labels = None
depends_on = None

# `import_id` tells imports apart where versions begin anew; old code leaves it and raises the version.
_ORGANISATION = """
ALTER TABLE organisation
    ADD import_id uuid NOT NULL DEFAULT gen_random_uuid(),
    ADD skills jsonb NOT NULL DEFAULT '[]',
    ADD product_lines jsonb NOT NULL DEFAULT '[]',
    ADD customer_levels jsonb NOT NULL DEFAULT '[]',
    ADD shifts jsonb NOT NULL DEFAULT '[]';
ALTER TABLE person
    ADD certificates jsonb NOT NULL DEFAULT '[]',
    ADD trainings jsonb NOT NULL DEFAULT '[]',
    ADD substitutes jsonb NOT NULL DEFAULT '[]',
    ADD shift text;

CREATE TABLE absence (
    id uuid PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES person,
    kind text NOT NULL CHECK (kind IN ('leave', 'sick', 'training', 'other')),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('asked', 'approved', 'refused', 'ended')),
    asked_by text NOT NULL,
    decided_by text,
    handed_over_at timestamptz,
    CHECK (starts_at < ends_at)
);
CREATE INDEX absence_person ON absence (person_id, ends_at);
CREATE INDEX absence_to_come ON absence (ends_at) WHERE state = 'approved';
CREATE INDEX absence_to_hand_over ON absence (starts_at) WHERE state = 'approved' AND handed_over_at IS NULL;

CREATE TABLE duty (
    id uuid PRIMARY KEY,
    region text NOT NULL,
    part text NOT NULL CHECK (part IN ('duty_lead', 'engineer')),
    person_id uuid NOT NULL REFERENCES person,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    entered_by text NOT NULL,
    CHECK (starts_at < ends_at),
    CONSTRAINT duty_one_lead_at_a_time
        EXCLUDE USING gist (region WITH =, tstzrange(starts_at, ends_at) WITH &&)
        WHERE (part = 'duty_lead')
);
CREATE INDEX duty_to_come ON duty (ends_at);
COMMENT ON TABLE duty IS 'Who is on call in a region: as duty lead, or as engineer outside of a shift.';
"""

_ASSIGNMENT = """
CREATE TABLE assignment_policy (
    version integer PRIMARY KEY CHECK (version >= 1),
    body jsonb NOT NULL,
    note text NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL
);
REVOKE UPDATE, DELETE ON assignment_policy FROM {role};

CREATE TABLE customer_preference (
    customer_id uuid NOT NULL,
    person_id uuid NOT NULL REFERENCES person,
    preference text NOT NULL CHECK (preference IN ('preferred', 'blocked')),
    noted_by text NOT NULL,
    noted_at timestamptz NOT NULL,
    PRIMARY KEY (customer_id, person_id)
);

CREATE INDEX ticket_unanswered ON ticket (severity, id) WHERE state = 'assigned';
CREATE INDEX ticket_out ON ticket (engineer_id) WHERE state IN ('travelling', 'on_site', 'working');
CREATE INDEX visit_to_come ON visit (ends_at) WHERE state = 'agreed';
"""


def upgrade() -> None:
    execute_script(_ORGANISATION + _ASSIGNMENT)
