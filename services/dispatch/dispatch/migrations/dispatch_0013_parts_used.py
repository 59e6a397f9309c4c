"""What became of parts that were held: built in, or given back."""

from shared.db.script import execute_script

revision = "dispatch_0013"
down_revision = "dispatch_0012"
branch_labels = None
depends_on = None

# Beside the state, which old code reads: it knows none of these ends.
_ENDS = """
ALTER TABLE requisition
    ADD ended_as text CHECK (ended_as IN ('used', 'released')),
    ADD ended_version bigint NOT NULL DEFAULT 0,
    ADD used jsonb NOT NULL DEFAULT '[]';
"""


def upgrade() -> None:
    execute_script(_ENDS)
