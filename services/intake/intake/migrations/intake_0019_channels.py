"""What providers announce and keep for us, and what is replayed of what could not be read."""

from shared.db.script import execute_script

revision = "intake_0019"
down_revision = "intake_0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE TABLE pull (
            channel text NOT NULL,
            account text NOT NULL,
            source text NOT NULL,
            token text NOT NULL,
            told integer NOT NULL,
            told_at timestamptz NOT NULL,
            begun_at timestamptz NOT NULL,
            cursor text,
            due_at timestamptz NOT NULL,
            failures integer NOT NULL DEFAULT 0,
            detail text,
            PRIMARY KEY (channel, account, source)
        );
        CREATE INDEX pull_due ON pull (due_at);

        -- The address of a call that could not be read: what is signed may stand in it.
        ALTER TABLE set_aside ADD COLUMN url text;
        CREATE INDEX set_aside_reason ON set_aside (reason, id);
        CREATE TABLE replayed (
            set_aside_id uuid PRIMARY KEY REFERENCES set_aside ON DELETE CASCADE,
            at timestamptz NOT NULL,
            by text NOT NULL,
            messages integer NOT NULL,
            others integer NOT NULL
        );
        """
    )
