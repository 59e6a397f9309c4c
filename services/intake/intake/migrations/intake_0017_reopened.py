"""When a request's ticket went on in another episode: an end that is told late was before."""

from shared.db.script import execute_script

revision = "intake_0017"
down_revision = "intake_0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script("ALTER TABLE request ADD COLUMN reopened_at timestamptz;")
