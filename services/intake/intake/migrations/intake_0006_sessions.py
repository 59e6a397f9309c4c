"""Chats: what is said in one joins its request; when a request was closed."""

from shared.db.script import execute_script

revision = "intake_0006"
down_revision = "intake_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        ALTER TABLE request ADD COLUMN session text;
        ALTER TABLE request ADD COLUMN closed_at timestamptz;
        CREATE INDEX request_session ON request (session, id)
            WHERE session IS NOT NULL AND closed_at IS NULL;
        """
    )
