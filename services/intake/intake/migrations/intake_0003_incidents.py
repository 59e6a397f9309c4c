"""Mass incidents: proposals, what was said of them, the requests they explain, who was told."""

from shared.db.script import execute_script

revision = "intake_0003"
down_revision = "intake_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE TABLE incident (
            id uuid PRIMARY KEY,
            state text NOT NULL CHECK (state IN ('proposed', 'open', 'ended', 'dismissed')),
            product_line text,
            region text NOT NULL,
            symptom text NOT NULL,
            customers integer NOT NULL,
            usual double precision NOT NULL,
            title text NOT NULL,
            cause text NOT NULL,
            recovery_at timestamptz,
            revision integer NOT NULL,
            proposed_at timestamptz NOT NULL,
            settled_at timestamptz,
            CHECK ((revision = 0) = (state IN ('proposed', 'dismissed')))
        );
        CREATE INDEX incident_settled ON incident (settled_at);
        CREATE UNIQUE INDEX incident_one_per_cause ON incident (product_line, region, symptom)
            NULLS NOT DISTINCT WHERE state IN ('proposed', 'open');
        CREATE TABLE incident_revision (
            incident_id uuid NOT NULL REFERENCES incident,
            revision integer NOT NULL,
            step text NOT NULL CHECK (step IN ('declared', 'updated', 'ended')),
            title text NOT NULL,
            cause text NOT NULL,
            recovery_at timestamptz,
            note text NOT NULL,
            by text NOT NULL,
            at timestamptz NOT NULL,
            PRIMARY KEY (incident_id, revision)
        );
        CREATE TABLE incident_link (
            incident_id uuid NOT NULL REFERENCES incident,
            request_id uuid NOT NULL REFERENCES request,
            linked boolean NOT NULL,
            by text NOT NULL,
            at timestamptz NOT NULL,
            PRIMARY KEY (incident_id, request_id)
        );
        CREATE UNIQUE INDEX incident_link_one_cause ON incident_link (request_id) WHERE linked;
        CREATE TABLE incident_notice (
            incident_id uuid NOT NULL,
            revision integer NOT NULL,
            customer_id uuid NOT NULL,
            message_id uuid NOT NULL REFERENCES message,
            PRIMARY KEY (incident_id, revision, customer_id),
            FOREIGN KEY (incident_id, revision) REFERENCES incident_revision
        );
        REVOKE UPDATE, DELETE ON incident_revision, incident_notice FROM {role};
        """
    )
