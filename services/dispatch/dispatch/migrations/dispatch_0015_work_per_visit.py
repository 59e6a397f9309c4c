"""Which visit work belongs to, and which product a ticket is about."""

from shared.db.script import execute_script

revision = "dispatch_0015"
down_revision = "dispatch_0014"
branch_labels = None
depends_on = None

# Old code writes down work of no visit, and opens tickets about no product: both are as it was.
_COLUMNS = """
ALTER TABLE work_log ADD visit_id uuid REFERENCES visit;
ALTER TABLE ticket ADD device_id uuid;
CREATE INDEX ticket_device ON ticket (device_id, id) WHERE device_id IS NOT NULL;
"""


def upgrade() -> None:
    execute_script(_COLUMNS)
