"""Calendars, policies, histories, clocks, timers and alerts; the calendar and the policy that ship."""

from datetime import UTC, datetime

from alembic import op

from shared.db.script import execute_script

revision = "sla_0001"
down_revision = None
branch_labels = ("sla",)
depends_on = None

_VERSIONS = """
CREATE TABLE calendar_version (
    calendar text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    valid_from timestamptz NOT NULL,
    zone text NOT NULL,
    week jsonb NOT NULL,
    source text NOT NULL,
    digest text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (calendar, version),
    UNIQUE (calendar, valid_from)
);
CREATE TABLE calendar_day (
    calendar text NOT NULL,
    version integer NOT NULL,
    day date NOT NULL,
    windows jsonb NOT NULL,
    name text NOT NULL,
    provenance text NOT NULL,
    PRIMARY KEY (calendar, version, day),
    FOREIGN KEY (calendar, version) REFERENCES calendar_version
);
CREATE TABLE policy_version (
    version integer PRIMARY KEY CHECK (version > 0),
    valid_from timestamptz NOT NULL UNIQUE,
    body jsonb NOT NULL,
    source text NOT NULL,
    digest text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()
);
"""

_CLOCKS = """
CREATE TABLE history (
    subject_id uuid NOT NULL,
    event_id uuid NOT NULL,
    kind text NOT NULL,
    sequence bigint NOT NULL,
    at timestamptz NOT NULL,
    facts jsonb NOT NULL,
    PRIMARY KEY (subject_id, event_id)
);
CREATE TABLE subject (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('ticket', 'request', 'call')),
    title text,
    region text,
    severity text CHECK (severity IN ('general', 'important', 'urgent')),
    product_line text,
    customer_level text,
    owner_id uuid,
    first_at timestamptz NOT NULL
);
CREATE TABLE clock (
    id uuid PRIMARY KEY,
    subject_id uuid NOT NULL REFERENCES subject,
    promise text NOT NULL,
    occurrence bigint NOT NULL,
    requirement text NOT NULL,
    rule text NOT NULL,
    measure text NOT NULL CHECK (measure IN ('wall', 'working')),
    allowance interval NOT NULL CHECK (allowance > interval '0'),
    severity text CHECK (severity IN ('general', 'important', 'urgent')),
    started_at timestamptz NOT NULL,
    deadline timestamptz NOT NULL,
    standing boolean NOT NULL,
    pause_reason text,
    paused_from timestamptz,
    paused_until timestamptz,
    outcome text NOT NULL CHECK (outcome IN ('running', 'met', 'breached', 'cancelled')),
    stopped_at timestamptz,
    reason text,
    warned smallint NOT NULL CHECK (warned BETWEEN 0 AND 99),
    alerted_at timestamptz,
    confirmed boolean,
    policy_version integer NOT NULL REFERENCES policy_version,
    calendar_version integer NOT NULL,
    revision integer NOT NULL CHECK (revision >= 0),
    version bigint NOT NULL CHECK (version > 0),
    decided_at timestamptz GENERATED ALWAYS AS (
        CASE outcome WHEN 'met' THEN stopped_at WHEN 'breached' THEN deadline END
    ) STORED,
    UNIQUE (subject_id, promise, occurrence),
    CHECK ((outcome = 'running') <= (stopped_at IS NULL)),
    CHECK ((outcome = 'met') <= (stopped_at IS NOT NULL AND stopped_at <= deadline)),
    CHECK ((outcome = 'breached') <= (stopped_at IS NULL OR stopped_at > deadline)),
    CHECK ((alerted_at IS NULL) = (confirmed IS NULL)),
    CHECK ((alerted_at IS NOT NULL) <= (outcome = 'breached')),
    CHECK ((paused_from IS NULL) = (pause_reason IS NULL))
);
CREATE INDEX clock_by_outcome ON clock (outcome, deadline, id);
CREATE INDEX clock_by_deadline ON clock (deadline, id);
CREATE INDEX clock_decided ON clock (decided_at) WHERE decided_at IS NOT NULL;

-- A row is an instant that is still waited for; it goes when it has been dealt with.
CREATE TABLE timer (
    clock_id uuid NOT NULL REFERENCES clock,
    threshold smallint NOT NULL CHECK (threshold BETWEEN 0 AND 101),
    due_at timestamptz NOT NULL,
    awaits text NOT NULL,
    PRIMARY KEY (clock_id, threshold)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX timer_due ON timer (due_at);

CREATE TABLE alert (
    id uuid PRIMARY KEY,
    clock_id uuid NOT NULL REFERENCES clock,
    threshold smallint NOT NULL CHECK (threshold BETWEEN 1 AND 100),
    revision integer NOT NULL CHECK (revision >= 0),
    raised_at timestamptz NOT NULL,
    acknowledged_by text,
    acknowledged_at timestamptz,
    version bigint NOT NULL CHECK (version > 0),
    UNIQUE (clock_id, threshold, revision),
    CHECK ((acknowledged_by IS NULL) = (acknowledged_at IS NULL))
);
CREATE INDEX alert_raised ON alert (raised_at, id);

REVOKE UPDATE, DELETE ON calendar_version, calendar_day, policy_version, history FROM {role};
REVOKE DELETE ON subject, clock, alert FROM {role};
"""

_SINCE_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS = 2020, 2030


def upgrade() -> None:
    execute_script(_VERSIONS + _CLOCKS)
    _ship_calendar()
    _ship_policy()


def _ship_calendar() -> None:
    from sla_monitor.calendars import store
    from sla_monitor.calendars.chinese import WEEK, ZONE, chinese_days

    source, days = chinese_days(*_YEARS)
    head, rows = store.rows_of("cn", 1, _SINCE_EVER, ZONE, WEEK, days, source)
    op.bulk_insert(store.calendar_version, [head])
    op.bulk_insert(store.calendar_day, rows)


def _ship_policy() -> None:
    from sla_monitor.policies import store
    from sla_monitor.policies.shipped import SHIPPED

    op.bulk_insert(store.policy_version, [store.row_of(1, _SINCE_EVER, SHIPPED, "shipped")])
