"""What the desk finds requests by, and what its figures are counted from.

Whoever writes a message, in this version or the one before, leaves it marked as not findable; a loop makes it
so. A text that changes is marked anew, so that what was erased is no longer found.
"""

from shared.db.script import execute_script

revision = "intake_0013"
down_revision = "intake_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE TABLE findable (
            message_id uuid PRIMARY KEY REFERENCES message ON DELETE CASCADE,
            request_id uuid NOT NULL,
            grams text[] NOT NULL
        );
        CREATE INDEX findable_grams ON findable USING gin (grams);
        ALTER TABLE message ADD COLUMN findable boolean NOT NULL DEFAULT false;
        CREATE INDEX message_not_findable ON message (id) WHERE NOT findable;
        CREATE FUNCTION forget_what_it_was_found_by() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                NEW.findable := false;
                RETURN NEW;
            END
        $$;
        CREATE TRIGGER message_text_changed BEFORE UPDATE OF text ON message FOR EACH ROW
            WHEN (OLD.text IS DISTINCT FROM NEW.text) EXECUTE FUNCTION forget_what_it_was_found_by();
        CREATE INDEX request_open ON request (severity, id) WHERE closed_at IS NULL;
        CREATE INDEX request_not_answered ON request (id) WHERE closed_at IS NULL AND answered_at IS NULL;
        """
    )
