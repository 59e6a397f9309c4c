"""How far each replica has heard, so that none calls certain what another may still hold."""

from __future__ import annotations

from shared.db.script import execute_script

revision = "sla_0007"
down_revision = "sla_0006"
branch_labels = None
depends_on = None

# A row is written several times a second, and never to a new place in the index.
_LISTENERS = """
CREATE TABLE listener (
    id uuid PRIMARY KEY,
    heard jsonb NOT NULL,
    seen_at timestamptz NOT NULL,
    connection integer NOT NULL,
    connected_at timestamptz NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
"""


def upgrade() -> None:
    execute_script(_LISTENERS)
