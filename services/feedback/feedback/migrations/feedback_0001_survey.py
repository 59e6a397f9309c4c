"""One survey per resolution episode, and every answer to it."""

from shared.db.script import execute_script

revision = "feedback_0001"
down_revision = None
branch_labels = ("feedback",)
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE TABLE survey (
            id uuid PRIMARY KEY,
            ticket_id uuid NOT NULL,
            episode integer NOT NULL CHECK (episode > 0),
            engineer_id uuid,
            region text NOT NULL,
            severity text NOT NULL,
            token_hash bytea NOT NULL UNIQUE,
            expires_at timestamptz NOT NULL,
            score smallint CHECK (score BETWEEN 1 AND 5),
            version integer NOT NULL CHECK (version > 0),
            CONSTRAINT one_survey_per_episode UNIQUE (ticket_id, episode)
        );
        CREATE TABLE answer (
            id uuid PRIMARY KEY,
            survey_id uuid NOT NULL REFERENCES survey,
            score smallint NOT NULL CHECK (score BETWEEN 1 AND 5),
            comment text NOT NULL,
            suspect boolean NOT NULL
        );
        CREATE INDEX answer_survey ON answer (survey_id);
        REVOKE UPDATE, DELETE ON answer FROM {role};
        """
    )
