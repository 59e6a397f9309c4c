"""Who wrote an answer, by name, for colleagues who read the conversation."""

from shared.db.script import execute_script

revision = "intake_0023"
down_revision = "intake_0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script("ALTER TABLE message ADD COLUMN author_name text")
