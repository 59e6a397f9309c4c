"""Triage rules as versioned data, and what the rules estimate beside each judgement (R10).

The new columns may be empty: judgements of persons, of before, and of processes that still run the old code.
"""

from shared.db.script import execute_script

revision = "intake_0009"
down_revision = "intake_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        ALTER TABLE triage
            ADD COLUMN rules_version integer,
            ADD COLUMN difficulty integer,
            ADD COLUMN skills jsonb,
            ADD COLUMN parts jsonb,
            ADD COLUMN hours double precision;
        CREATE TABLE triage_rules (
            version integer PRIMARY KEY,
            digest text NOT NULL,
            published_at timestamptz NOT NULL,
            by text NOT NULL,
            note text NOT NULL,
            document jsonb NOT NULL
        );
        REVOKE UPDATE, DELETE ON triage_rules FROM {role};
        """
    )
