"""The days of engineers: their visits by time."""

from shared.db.script import execute_script

revision = "dispatch_0008"
down_revision = "dispatch_0007"
branch_labels = None
depends_on = None

_DAYS = "CREATE INDEX visit_engineer ON visit (engineer_id, starts_at) WHERE state IN ('agreed', 'kept');"


def upgrade() -> None:
    execute_script(_DAYS)
