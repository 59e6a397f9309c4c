"""How far mailboxes have been fetched."""

from shared.db.script import execute_script

revision = "intake_0014"
down_revision = "intake_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE TABLE mailbox_progress (
            mailbox text PRIMARY KEY,
            uidvalidity bigint NOT NULL,
            last_uid bigint NOT NULL
        );
        """
    )
