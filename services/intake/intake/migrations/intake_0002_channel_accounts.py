"""Accounts at providers; the door a request came in by, and where an answer goes."""

from shared.db.script import execute_script

revision = "intake_0002"
down_revision = "intake_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE TABLE channel_account (
            channel text NOT NULL,
            name text NOT NULL,
            region text NOT NULL,
            city text NOT NULL,
            product_line text,
            sealed bytea NOT NULL,
            updated_at timestamptz NOT NULL,
            PRIMARY KEY (channel, name)
        );
        CREATE TABLE delivery_told (
            channel text NOT NULL,
            account text NOT NULL,
            external_id text NOT NULL,
            state text NOT NULL CHECK (state IN ('sent', 'delivered', 'read', 'failed')),
            told_at timestamptz NOT NULL,
            detail text NOT NULL,
            PRIMARY KEY (channel, account, external_id, state)
        );
        REVOKE UPDATE, DELETE ON delivery_told FROM {role};
        ALTER TABLE request ADD COLUMN door text;
        ALTER TABLE message ADD COLUMN address text;
        """
    )
