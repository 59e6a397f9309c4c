"""Whom to call back, and who was spoken to since: read at each look at the desk."""

from shared.db.script import execute_script

revision = "intake_0022"
down_revision = "intake_0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE INDEX call_to_return ON call (rang_at) WHERE state IN ('busy', 'missed');
        CREATE INDEX call_caller ON call (caller) WHERE caller IS NOT NULL;
        """
    )
