"""Who published a calendar version, and where its days may be known from; a pending one can be replaced."""

from __future__ import annotations

from shared.db.script import execute_script

revision = "sla_0002"
down_revision = "sla_0001"
branch_labels = None
depends_on = None

# Of two versions for one instant the later one counts, so that what was announced wrongly need never apply.
_PUBLISHED = """
ALTER TABLE calendar_version ADD COLUMN made_by text;
ALTER TABLE calendar_version DROP CONSTRAINT calendar_version_calendar_valid_from_key;
CREATE INDEX calendar_version_valid ON calendar_version (calendar, valid_from, version);
ALTER TABLE calendar_day ADD CHECK (provenance IN ('announced', 'statutory', 'entered', 'imported'));
"""


def upgrade() -> None:
    execute_script(_PUBLISHED)
