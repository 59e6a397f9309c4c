"""Leadership is told by hand, also of a promise that no step of its ladder has come to yet."""

from __future__ import annotations

from shared.db.script import execute_script

revision = "sla_0009"
down_revision = "sla_0008"
branch_labels = None
depends_on = None

# Each check only lets more in than before: old code goes on beside it, and no row has to be read again.
_HANDS = """
ALTER TABLE clock ADD called boolean NOT NULL DEFAULT false;
ALTER TABLE alert DROP CONSTRAINT alert_threshold_check,
    ADD CONSTRAINT alert_threshold_check CHECK (threshold BETWEEN 0 AND 100) NOT VALID;
ALTER TABLE alert_deed DROP CONSTRAINT alert_deed_deed_check,
    ADD CONSTRAINT alert_deed_deed_check CHECK (deed IN
        ('acknowledged', 'snoozed', 'returned', 'assigned', 'escalated', 'called', 'retracted')) NOT VALID;
ALTER TABLE notice DROP CONSTRAINT notice_what_check,
    ADD CONSTRAINT notice_what_check CHECK (what IN
        ('warning', 'breach', 'escalation', 'called', 'returned', 'assignment', 'retraction', 'ended'))
        NOT VALID;
"""


def upgrade() -> None:
    execute_script(_HANDS)
