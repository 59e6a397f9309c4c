"""Files that came with messages; requests that messages name without proof."""

from shared.db.script import execute_script

revision = "intake_0008"
down_revision = "intake_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE TABLE attachment (
            id uuid PRIMARY KEY,
            message_id uuid NOT NULL REFERENCES message,
            position integer NOT NULL,
            name text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 120),
            content_type text NOT NULL,
            size integer NOT NULL CHECK (size >= 0),
            inline boolean NOT NULL,
            content bytea NOT NULL,
            UNIQUE (message_id, position)
        );
        ALTER TABLE attachment ALTER COLUMN content SET STORAGE EXTERNAL;
        CREATE TABLE thread_suggestion (
            request_id uuid PRIMARY KEY REFERENCES request,
            other_id uuid NOT NULL REFERENCES request
        );
        REVOKE UPDATE ON attachment FROM {role};
        REVOKE UPDATE, DELETE ON thread_suggestion FROM {role};
        """
    )
