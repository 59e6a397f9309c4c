"""The organisation's own places, and where a person has to look."""

from shared.db.script import execute_script

revision = "intake_0004"
down_revision = "intake_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE TABLE place_catalogue (
            id uuid PRIMARY KEY,
            version integer NOT NULL UNIQUE,
            places jsonb NOT NULL,
            by text NOT NULL,
            at timestamptz NOT NULL
        );
        CREATE TABLE located (
            id uuid PRIMARY KEY,
            request_id uuid NOT NULL REFERENCES request,
            told_region text NOT NULL,
            told_city text NOT NULL,
            region text NOT NULL,
            city text NOT NULL,
            finding text CHECK (finding IN ('unrecognised', 'contradicted')),
            by text
        );
        CREATE INDEX located_request ON located (request_id, id);
        REVOKE UPDATE, DELETE ON place_catalogue FROM {role};
        """
    )
