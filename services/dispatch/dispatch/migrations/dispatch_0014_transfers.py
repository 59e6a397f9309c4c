"""How often a ticket went to another engineer is counted quickly."""

from shared.db.script import execute_script

revision = "dispatch_0014"
down_revision = "dispatch_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        "CREATE INDEX history_given ON history (ticket_id, version) WHERE what = 'ticket_assigned';"
    )
