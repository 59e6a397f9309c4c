"""When parts that are short are expected."""

from shared.db.script import execute_script

revision = "dispatch_0010"
down_revision = "dispatch_0009"
branch_labels = None
depends_on = None

_EXPECTED = """
ALTER TABLE requisition
    ADD expected_at timestamptz,
    ADD expected_version bigint NOT NULL DEFAULT 0;
CREATE INDEX requisition_expected ON requisition (ticket_id) WHERE expected_at IS NOT NULL;
COMMENT ON TABLE requisition IS
    '`version` is the parts desk''s; 0 before its answer. What it expects holds while it is newer.';
"""


def upgrade() -> None:
    execute_script(_EXPECTED)
