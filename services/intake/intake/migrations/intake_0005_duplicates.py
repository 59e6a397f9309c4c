"""Requests that are one request: merged, and split again."""

from shared.db.script import execute_script

revision = "intake_0005"
down_revision = "intake_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE TABLE duplicate (
            request_id uuid NOT NULL REFERENCES request,
            main_id uuid NOT NULL REFERENCES request,
            state text NOT NULL CHECK (state IN ('merged', 'apart')),
            PRIMARY KEY (request_id, main_id),
            CHECK (request_id <> main_id)
        );
        CREATE UNIQUE INDEX duplicate_of_one ON duplicate (request_id) WHERE state = 'merged';
        CREATE INDEX duplicate_main ON duplicate (main_id);
        CREATE TABLE duplicate_step (
            id uuid PRIMARY KEY,
            request_id uuid NOT NULL REFERENCES request,
            main_id uuid NOT NULL REFERENCES request,
            step text NOT NULL CHECK (step IN ('merged', 'split', 'kept_apart')),
            by text NOT NULL,
            at timestamptz NOT NULL
        );
        CREATE INDEX duplicate_step_request ON duplicate_step (request_id);
        CREATE INDEX duplicate_step_main ON duplicate_step (main_id);
        CREATE INDEX request_customer ON request (customer_id, id);
        REVOKE UPDATE, DELETE ON duplicate_step FROM {role};
        """
    )
