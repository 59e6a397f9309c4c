"""Promises, each with its deadline and somebody who keeps it."""

from shared.db.script import execute_script

revision = "sample_0001"
down_revision = None
branch_labels = ("sample",)
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE TABLE promise (
            id text PRIMARY KEY,
            customer text NOT NULL,
            subject text NOT NULL,
            severity text NOT NULL CHECK (severity IN ('general', 'important', 'urgent')),
            due_at timestamptz NOT NULL,
            share integer NOT NULL CHECK (share BETWEEN 0 AND 100),
            owner text,
            version bigint NOT NULL DEFAULT 1
        )
        """
    )
