"""Who lets a promise stand by hand, and what they said beside the reason."""

from __future__ import annotations

from shared.db.script import execute_script

revision = "sla_0012"
down_revision = "sla_0011"
branch_labels = None
depends_on = None

# Old code that ends such a pause leaves them: only the reason tells whether there is a pause.
_PAUSES = "ALTER TABLE clock ADD pause_by text, ADD pause_note text;"


def upgrade() -> None:
    execute_script(_PAUSES)
