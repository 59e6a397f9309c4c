"""By what name the sender of a message called themselves; their address is kept already."""

from shared.db.script import execute_script

revision = "intake_0021"
down_revision = "intake_0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script("ALTER TABLE message ADD COLUMN sender_name text;")
