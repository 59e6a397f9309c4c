"""When parts that are short are expected."""

from shared.db.script import execute_script

revision = "parts_0002"
down_revision = "parts_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script("ALTER TABLE requisition ADD expected_at timestamptz;")
