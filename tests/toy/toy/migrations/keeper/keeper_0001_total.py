"""One total per subject, and one line per effect."""

from shared.db.script import execute_script

revision = "keeper_0001"
down_revision = None
branch_labels = ("keeper",)
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE TABLE total (subject text PRIMARY KEY, total bigint NOT NULL, events integer NOT NULL);
        CREATE TABLE effect (event_id uuid NOT NULL, subject text NOT NULL);
        """
    )
