"""Who calls, and recordings by reference."""

from shared.db.script import execute_script

revision = "intake_0015"
down_revision = "intake_0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        ALTER TABLE call ADD COLUMN caller text;
        CREATE INDEX call_request ON call (request_id) WHERE request_id IS NOT NULL;
        CREATE TABLE call_recording (
            call_id uuid NOT NULL REFERENCES call,
            reference text NOT NULL,
            consent_at timestamptz NOT NULL,
            PRIMARY KEY (call_id, reference)
        );
        """
    )
