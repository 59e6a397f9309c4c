"""Acknowledgements: one for a request, and at most one an hour for an address."""

from shared.db.script import execute_script

revision = "intake_0011"
down_revision = "intake_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE TABLE acknowledgement (
            request_id uuid PRIMARY KEY REFERENCES request,
            until timestamptz,
            decided_at timestamptz
        );
        CREATE INDEX acknowledgement_open ON acknowledgement (request_id) WHERE decided_at IS NULL;
        CREATE TABLE greeted (
            digest bytea PRIMARY KEY,
            greeted_at timestamptz NOT NULL
        );
        """
    )
