"""Messages to customers leave the house: which way, how often it was tried, and what came of it."""

from shared.db.script import execute_script

revision = "intake_0007"
down_revision = "intake_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        ALTER TABLE message
            ADD COLUMN facts jsonb,
            ADD COLUMN lane text,
            ADD COLUMN queued_at timestamptz,
            ADD COLUMN due_at timestamptz,
            ADD COLUMN attempts integer NOT NULL DEFAULT 0,
            ADD COLUMN round integer NOT NULL DEFAULT 1,
            ADD COLUMN sent_at timestamptz,
            ADD COLUMN sent_id text,
            ADD COLUMN why text,
            ADD COLUMN detail text;
        CREATE INDEX message_new ON message (id)
            WHERE direction = 'out' AND state = 'waiting' AND lane IS NULL;
        CREATE INDEX message_due ON message (due_at) WHERE due_at IS NOT NULL;
        CREATE INDEX message_address ON message (address, id)
            WHERE direction = 'in' AND address IS NOT NULL;
        """
    )
