"""The customer file: merges that can be undone, consent, and to be forgotten."""

from shared.db.script import execute_script

revision = "intake_0012"
down_revision = "intake_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        ALTER TABLE customer
            ADD COLUMN region text,
            ADD COLUMN city text,
            ADD COLUMN merged_into uuid REFERENCES customer,
            ADD COLUMN erased_at timestamptz,
            ADD COLUMN version integer NOT NULL DEFAULT 1;
        CREATE INDEX customer_merged ON customer (merged_into) WHERE merged_into IS NOT NULL;
        CREATE TABLE consent (
            id uuid PRIMARY KEY,
            customer_id uuid NOT NULL REFERENCES customer,
            purpose text NOT NULL,
            channel text NOT NULL,
            given boolean NOT NULL,
            source text NOT NULL,
            at timestamptz NOT NULL,
            by text NOT NULL
        );
        CREATE INDEX consent_customer ON consent (customer_id, id);
        CREATE TABLE customer_merge (
            id uuid PRIMARY KEY,
            kept_id uuid NOT NULL REFERENCES customer,
            gone_id uuid NOT NULL REFERENCES customer,
            moved jsonb NOT NULL,
            at timestamptz NOT NULL,
            by text NOT NULL,
            undone_at timestamptz,
            undone_by text,
            CHECK (kept_id <> gone_id)
        );
        CREATE INDEX customer_merge_kept ON customer_merge (kept_id);

        -- Who recognised a customer just before they were merged or erased has to look again. Told as the
        -- violation of a key: that is what a writer who was overtaken sees, and tries again after.
        CREATE FUNCTION customer_is_there() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM 1 FROM customer
                WHERE id = NEW.customer_id AND (erased_at IS NOT NULL OR merged_into IS NOT NULL)
                FOR KEY SHARE;
            IF FOUND THEN
                RAISE unique_violation USING MESSAGE = 'this customer was merged or erased';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER customer_is_there BEFORE INSERT ON request
            FOR EACH ROW EXECUTE FUNCTION customer_is_there();

        -- What is append-only for all else loses what one erased customer said; nothing else may be passed.
        CREATE FUNCTION forget_requests(asked uuid[], addresses text[]) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
        BEGIN
            DELETE FROM source USING message
                WHERE source.message_id = message.id AND message.request_id = ANY(asked);
            DELETE FROM delivery_told USING message
                WHERE delivery_told.external_id = message.sent_id AND message.request_id = ANY(asked);
            DELETE FROM attachment USING message
                WHERE attachment.message_id = message.id AND message.request_id = ANY(asked);
            UPDATE triage SET reasons = coalesce((
                    SELECT jsonb_agg(jsonb_build_object('rule', each -> 'rule', 'because', '—'))
                    FROM jsonb_array_elements(reasons) AS each), '[]')
                WHERE request_id = ANY(asked);
            UPDATE event_log SET body = jsonb_set(jsonb_set(jsonb_set(
                    body::jsonb, '{data,title}', '"—"', false), '{data,reason}', '"—"', false),
                    '{data,reasons}', '[]', false)::text
                WHERE subject = ANY(SELECT each::text FROM unnest(asked) AS each)
                  AND (body::jsonb -> 'data') ?| array['title', 'reason'];
            DELETE FROM set_aside WHERE EXISTS (
                SELECT 1 FROM unnest(addresses) AS address
                WHERE position(address IN lower(encode(set_aside.body, 'escape'))) > 0);
        END $$;
        REVOKE ALL ON FUNCTION forget_requests(uuid[], text[]) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION forget_requests(uuid[], text[]) TO {role};
        """
    )
