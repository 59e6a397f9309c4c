"""What happened to the tickets of our requests, for those who asked."""

from shared.db.script import execute_script

revision = "intake_0020"
down_revision = "intake_0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE TABLE ticket_step (
            ticket_id uuid NOT NULL,
            event_id uuid NOT NULL,
            kind text NOT NULL,
            sequence bigint NOT NULL,
            at timestamptz NOT NULL,
            facts jsonb NOT NULL,
            PRIMARY KEY (ticket_id, event_id)
        );
        """
    )
