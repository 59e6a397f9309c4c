"""Policies that are edited, subjects that were moved to another version, and those nothing is promised to."""

from __future__ import annotations

from alembic import op
from sqlalchemy import func, select

from shared.db.script import execute_script

revision = "sla_0003"
down_revision = "sla_0002"
branch_labels = None
depends_on = None

_TABLES = """
ALTER TABLE policy_version
    ADD COLUMN made_by text,
    ADD COLUMN note text NOT NULL DEFAULT '';

CREATE TABLE policy_move (
    id uuid PRIMARY KEY,
    policy_version integer NOT NULL REFERENCES policy_version,
    criteria jsonb NOT NULL,
    began_by text NOT NULL,
    began_at timestamptz NOT NULL,
    total integer NOT NULL CHECK (total >= 0),
    reached uuid,
    moved integer NOT NULL DEFAULT 0 CHECK (moved >= 0),
    changed integer NOT NULL DEFAULT 0 CHECK (changed >= 0),
    flipped integer NOT NULL DEFAULT 0 CHECK (flipped >= 0),
    ended_at timestamptz
);
CREATE INDEX policy_move_open ON policy_move (began_at, id) WHERE ended_at IS NULL;

CREATE TABLE governed_by (
    subject_id uuid NOT NULL,
    move_id uuid NOT NULL REFERENCES policy_move,
    policy_version integer NOT NULL REFERENCES policy_version,
    moved_by text NOT NULL,
    moved_at timestamptz NOT NULL,
    PRIMARY KEY (subject_id, move_id)
);

CREATE TABLE uncovered (
    subject_id uuid PRIMARY KEY,
    revision integer NOT NULL CHECK (revision >= 0),
    raised_at timestamptz NOT NULL,
    covered_at timestamptz
);
CREATE INDEX uncovered_open ON uncovered (raised_at, subject_id) WHERE covered_at IS NULL;

REVOKE UPDATE, DELETE ON governed_by FROM {role};
REVOKE DELETE ON policy_move, uncovered FROM {role};
"""


def upgrade() -> None:
    execute_script(_TABLES)
    _ship_newer_promises()


def _ship_newer_promises() -> None:
    """Where an older policy was shipped, today's follows it, from now on."""
    from sla_monitor.policies import store
    from sla_monitor.policies.shipped import SHIPPED

    table = store.policy_version
    newest = op.get_bind().execute(select(table).order_by(table.c.version.desc()).limit(1)).one()
    now = op.get_bind().execute(select(func.now())).scalar_one()
    row = store.row_of(newest.version + 1, now, SHIPPED, "shipped")
    if row["digest"] != newest.digest:
        op.bulk_insert(table, [row])
