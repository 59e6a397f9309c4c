"""Parts of a requisition that were built in, where others came back."""

from shared.db.script import execute_script

revision = "parts_0003"
down_revision = "parts_0002"
branch_labels = None
depends_on = None

# Old code uses requisitions up: it writes no rows here, and none means that.
_USED = """
CREATE TABLE requisition_use (
    requisition_id uuid NOT NULL REFERENCES requisition,
    part_number text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (requisition_id, part_number)
);
COMMENT ON TABLE requisition_use IS
    'What was built in where that was less than was held; without rows all of it was.';
REVOKE UPDATE, DELETE ON requisition_use FROM {role};
"""


def upgrade() -> None:
    execute_script(_USED)
