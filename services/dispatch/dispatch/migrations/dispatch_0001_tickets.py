"""The organisation, tickets with their history and decisions, visits, requisitions, acceptance."""

from shared.db.script import execute_script

revision = "dispatch_0001"
down_revision = None
branch_labels = ("dispatch",)
depends_on = None

_ORGANISATION = """
CREATE TABLE organisation (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    version bigint NOT NULL CHECK (version >= 1),
    note text NOT NULL,
    default_region text NOT NULL,
    regions jsonb NOT NULL,
    centres jsonb NOT NULL,
    teams jsonb NOT NULL,
    imported_at timestamptz NOT NULL,
    imported_by text NOT NULL
);

CREATE TABLE person (
    id uuid PRIMARY KEY,
    display_name text NOT NULL,
    active boolean NOT NULL,
    roles jsonb NOT NULL,
    tier text CHECK (tier IN ('junior', 'senior', 'emergency')),
    skills jsonb NOT NULL,
    regions jsonb NOT NULL,
    product_lines jsonb NOT NULL,
    centre text,
    CHECK (NOT roles ? 'engineer' OR (tier IS NOT NULL AND centre IS NOT NULL))
);
CREATE INDEX person_name ON person (display_name, id) WHERE active;

CREATE TABLE capacity (
    person_id uuid PRIMARY KEY REFERENCES person,
    working integer NOT NULL DEFAULT 0 CHECK (working >= 0),
    supervising integer NOT NULL DEFAULT 0 CHECK (supervising >= 0)
) WITH (fillfactor = 50);
"""

_TICKETS = """
CREATE TABLE ticket (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    request_id uuid NOT NULL UNIQUE,
    request_version bigint NOT NULL,
    customer_id uuid NOT NULL,
    customer_level text NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('general', 'important', 'urgent')),
    difficulty smallint NOT NULL,
    skills jsonb NOT NULL,
    product_line text,
    region text NOT NULL,
    city text NOT NULL,
    latitude double precision,
    longitude double precision,
    title text NOT NULL,
    state text NOT NULL CHECK (state IN ('opened', 'needs_decision', 'assigned', 'accepted', 'visit_agreed',
                                         'travelling', 'on_site', 'resolved', 'closed')),
    owner_id uuid NOT NULL REFERENCES person,
    engineer_id uuid REFERENCES person,
    supervisor_id uuid REFERENCES person,
    group_ids jsonb NOT NULL,
    declined_ids jsonb NOT NULL,
    tier text CHECK (tier IN ('junior', 'senior', 'emergency')),
    centre text,
    same_city boolean,
    episode integer NOT NULL CHECK (episode >= 1),
    arrivals integer NOT NULL CHECK (arrivals >= 0),
    opened_at timestamptz NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    CONSTRAINT ticket_engineer_at_work
        CHECK ((state IN ('opened', 'needs_decision')) = (engineer_id IS NULL)),
    CONSTRAINT ticket_important_is_supervised
        CHECK (severity <> 'important' OR engineer_id IS NULL OR supervisor_id IS NOT NULL),
    CONSTRAINT ticket_nobody_supervises_oneself CHECK (supervisor_id <> engineer_id),
    CONSTRAINT ticket_urgent_has_group CHECK (severity <> 'urgent' OR jsonb_array_length(group_ids) > 0)
);
CREATE INDEX ticket_open ON ticket (id) WHERE state <> 'closed';
CREATE INDEX ticket_owner ON ticket (owner_id, id);
CREATE INDEX ticket_engineer ON ticket (engineer_id, id);
CREATE INDEX ticket_supervisor ON ticket (supervisor_id, id) WHERE supervisor_id IS NOT NULL;
CREATE INDEX ticket_group ON ticket USING gin (group_ids) WHERE severity = 'urgent';

CREATE TABLE history (
    ticket_id uuid NOT NULL REFERENCES ticket,
    version bigint NOT NULL,
    at timestamptz NOT NULL,
    what text NOT NULL,
    by text,
    facts jsonb NOT NULL,
    PRIMARY KEY (ticket_id, version)
);

CREATE TABLE decision (
    id uuid PRIMARY KEY,
    ticket_id uuid NOT NULL REFERENCES ticket,
    version bigint NOT NULL,
    decided_at timestamptz NOT NULL,
    decided_by text,
    engineer_id uuid REFERENCES person,
    explanation jsonb NOT NULL
);
CREATE INDEX decision_ticket ON decision (ticket_id, id);

CREATE TABLE early_event (
    event_id uuid PRIMARY KEY,
    request_id uuid NOT NULL,
    version bigint NOT NULL,
    data jsonb NOT NULL,
    kept_at timestamptz NOT NULL
);
CREATE INDEX early_event_request ON early_event (request_id);

REVOKE UPDATE, DELETE ON history, decision FROM {role};
"""

_WORK = """
CREATE TABLE visit (
    id uuid PRIMARY KEY,
    ticket_id uuid NOT NULL REFERENCES ticket,
    engineer_id uuid NOT NULL REFERENCES person,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    at_customers_wish boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('agreed', 'moved', 'kept', 'cancelled')),
    CHECK (starts_at < ends_at),
    CONSTRAINT visit_one_place_at_a_time
        EXCLUDE USING gist (engineer_id WITH =, tstzrange(starts_at, ends_at) WITH &&)
        WHERE (state = 'agreed')
);
CREATE UNIQUE INDEX visit_agreed ON visit (ticket_id) WHERE state = 'agreed';
CREATE INDEX visit_ticket ON visit (ticket_id);

CREATE TABLE requisition (
    id uuid PRIMARY KEY,
    ticket_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('requested', 'reserved', 'short')),
    lines jsonb NOT NULL,
    missing jsonb NOT NULL,
    held_until timestamptz,
    version bigint NOT NULL,
    told_at timestamptz NOT NULL
);
CREATE INDEX requisition_ticket ON requisition (ticket_id);

CREATE TABLE acceptance (
    id uuid PRIMARY KEY,
    ticket_id uuid NOT NULL REFERENCES ticket,
    episode integer NOT NULL,
    asked_at timestamptz NOT NULL,
    reminders integer NOT NULL CHECK (reminders >= 0),
    next_at timestamptz NOT NULL,
    outcome text CHECK (outcome IN ('accepted', 'rejected', 'unconfirmed')),
    answered_at timestamptz,
    reason text,
    CHECK ((outcome IS NULL) = (answered_at IS NULL))
);
CREATE UNIQUE INDEX acceptance_open ON acceptance (ticket_id) WHERE outcome IS NULL;
CREATE INDEX acceptance_due ON acceptance (next_at) WHERE outcome IS NULL;

CREATE TABLE acceptance_link (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    acceptance_id uuid NOT NULL REFERENCES acceptance,
    expires_at timestamptz NOT NULL
);
"""


def upgrade() -> None:
    execute_script(_ORGANISATION + _TICKETS + _WORK)
