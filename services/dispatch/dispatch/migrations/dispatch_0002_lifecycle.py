"""Tickets wait, are cancelled, and are opened again; what the desk says of requests and customers is kept."""

from shared.db.script import execute_script

revision = "dispatch_0002"
down_revision = "dispatch_0001"
branch_labels = None
depends_on = None

# Old code that closes a ticket leaves `ended_as` empty: how it was closed stands in the history.
_TICKETS = """
ALTER TABLE ticket
    ADD waiting_for text CHECK (waiting_for IN ('customer', 'parts', 'vendor', 'other_department')),
    ADD paused_in text CHECK (paused_in IN ('accepted', 'visit_agreed', 'travelling', 'on_site', 'working')),
    ADD ended_as text CHECK (ended_as IN ('accepted', 'unconfirmed', 'duplicate', 'solved_at_desk',
                                          'withdrawn', 'by_mistake', 'other')),
    ADD duplicate_of uuid REFERENCES ticket,
    DROP CONSTRAINT ticket_state_check,
    ADD CONSTRAINT ticket_state_check
        CHECK (state IN ('opened', 'needs_decision', 'assigned', 'accepted', 'visit_agreed', 'travelling',
                         'on_site', 'working', 'waiting', 'resolved', 'closed', 'cancelled')),
    DROP CONSTRAINT ticket_engineer_at_work,
    ADD CONSTRAINT ticket_engineer_at_work
        CHECK (state = 'cancelled' OR (state IN ('opened', 'needs_decision')) = (engineer_id IS NULL)),
    ADD CONSTRAINT ticket_waits_for_something CHECK (
        (state = 'waiting') = (waiting_for IS NOT NULL) AND (state = 'waiting') = (paused_in IS NOT NULL)),
    ADD CONSTRAINT ticket_ends_as_something CHECK (
        (state <> 'cancelled' OR ended_as IS NOT NULL)
        AND (ended_as IS NULL OR state IN ('closed', 'cancelled'))),
    ADD CONSTRAINT ticket_is_no_duplicate_of_itself CHECK (duplicate_of <> id);
UPDATE ticket SET ended_as = history.facts ->> 'reason' FROM history
WHERE ticket.state = 'closed' AND history.ticket_id = ticket.id AND history.what = 'ticket_closed';
CREATE INDEX ticket_not_ended ON ticket (id) WHERE state NOT IN ('closed', 'cancelled');
CREATE INDEX ticket_customer ON ticket (customer_id);
"""

_DESK = """
CREATE TABLE request_told (
    request_id uuid PRIMARY KEY,
    main_id uuid,
    merged boolean NOT NULL DEFAULT false,
    merge_version bigint NOT NULL DEFAULT 0,
    solved_version bigint NOT NULL DEFAULT 0,
    CHECK (NOT merged OR main_id IS NOT NULL)
);
CREATE INDEX request_told_main ON request_told (main_id) WHERE merged;
COMMENT ON TABLE request_told IS 'The newest word of the desk on each request, also before it has a ticket.';

CREATE TABLE customer_told (
    customer_id uuid PRIMARY KEY,
    level text,
    level_version bigint NOT NULL DEFAULT 0,
    erased boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE customer_told IS 'The newest word of the desk on each customer, also before a ticket.';

-- What is append-only for all else loses the words about an erased customer; nothing else may be passed.
CREATE FUNCTION forget_words(asked uuid[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
    UPDATE history SET facts = facts || (
            SELECT jsonb_object_agg(key, CASE key WHEN 'reasons' THEN '[]' ELSE '"—"' END::jsonb)
            FROM jsonb_object_keys(facts) AS key
            WHERE key IN ('title', 'text', 'work_note', 'note', 'reason', 'reasons'))
        WHERE ticket_id = ANY(asked)
          AND facts ?| array['title', 'text', 'work_note', 'note', 'reason', 'reasons']
          AND what NOT IN ('ticket_closed', 'ticket_cancelled');
    UPDATE history SET facts = facts || '{"note": "—"}'
        WHERE ticket_id = ANY(asked) AND what = 'ticket_cancelled';
    UPDATE decision SET explanation = jsonb_set(explanation, '{findings}', (
            SELECT coalesce(jsonb_agg(CASE WHEN each ->> 'rule' = 'by_hand'
                THEN jsonb_set(each, '{facts,reason}', '"—"') ELSE each END), '[]')
            FROM jsonb_array_elements(explanation -> 'findings') AS each))
        WHERE ticket_id = ANY(asked);
    UPDATE acceptance SET reason = '—' WHERE ticket_id = ANY(asked) AND reason IS NOT NULL;
    UPDATE event_log SET body = jsonb_set(body::jsonb, '{data}', (body::jsonb -> 'data') || (
            SELECT jsonb_object_agg(key,
                CASE WHEN key IN ('facts', 'reasons') THEN '[]' ELSE '"—"' END::jsonb)
            FROM jsonb_object_keys(body::jsonb -> 'data') AS key
            WHERE key IN ('title', 'note', 'reason', 'reasons', 'facts')))::text
        WHERE subject = ANY(SELECT each::text FROM unnest(asked) AS each)
          AND type NOT IN ('dispatch.ticket_closed.v1', 'dispatch.ticket_cancelled.v1')
          AND (body::jsonb -> 'data') ?| array['title', 'note', 'reason', 'reasons', 'facts'];
END $$;
REVOKE ALL ON FUNCTION forget_words(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_words(uuid[]) TO {role};
"""


def upgrade() -> None:
    execute_script(_TICKETS + _DESK)
