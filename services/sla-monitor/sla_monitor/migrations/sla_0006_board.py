"""What the board asks for: whose work it is, how it came in, one matter's records, what was heard last."""

from __future__ import annotations

from shared.db.script import execute_script

revision = "sla_0006"
down_revision = "sla_0005"
branch_labels = None
depends_on = None

_BOARD = """
ALTER TABLE subject ADD team text, ADD channel text, ADD request_id uuid;
ALTER TABLE subject ADD matter_id uuid GENERATED ALWAYS AS (coalesce(request_id, id)) STORED;
CREATE INDEX subject_by_matter ON subject (matter_id);
CREATE INDEX subject_by_region ON subject (region);
CREATE INDEX subject_by_team ON subject (team) WHERE team IS NOT NULL;

UPDATE subject SET (team, request_id) = (
    SELECT (array_agg(facts ->> 'centre' ORDER BY at DESC, sequence DESC)
                FILTER (WHERE facts ? 'centre'))[1],
           (array_agg(CAST(facts ->> 'request_id' AS uuid) ORDER BY at DESC, sequence DESC)
                FILTER (WHERE facts ? 'request_id'))[1]
    FROM history WHERE subject_id = subject.id
);
UPDATE subject SET channel = CASE kind
    WHEN 'call' THEN 'phone'
    ELSE (SELECT facts ->> 'channel' FROM history WHERE subject_id = subject.id AND facts ? 'channel'
          ORDER BY at, sequence LIMIT 1)
    END;

-- When this service heard of it: a board shows how fresh it is, a dossier what came late. Nobody knows it of
-- what was heard before this column was there.
ALTER TABLE history ADD received_at timestamptz;
ALTER TABLE history ALTER received_at SET DEFAULT now();
CREATE INDEX history_received ON history (received_at);

-- A list of the board is the first rows of one of these indexes, also where few clocks pass its filters. So a
-- clock knows where its subject is, as long as that is there.
ALTER TABLE clock ADD in_region text, ADD of_team text;
UPDATE clock SET (in_region, of_team) = (SELECT region, team FROM subject WHERE id = subject_id);
CREATE INDEX clock_running ON clock (deadline, id) WHERE outcome = 'running';
CREATE INDEX clock_running_by_promise ON clock (promise, deadline, id) WHERE outcome = 'running';
CREATE INDEX clock_running_by_severity ON clock (severity, deadline, id) WHERE outcome = 'running';
CREATE INDEX clock_running_by_region ON clock (in_region, deadline, id) WHERE outcome = 'running';
CREATE INDEX clock_running_by_team ON clock (of_team, deadline, id) WHERE outcome = 'running';
CREATE INDEX clock_missed ON clock (alerted_at, id) WHERE outcome = 'breached';

CREATE FUNCTION place_clock() RETURNS trigger LANGUAGE plpgsql AS $place$
BEGIN
    SELECT region, team INTO NEW.in_region, NEW.of_team FROM {schema}.subject WHERE id = NEW.subject_id;
    RETURN NEW;
END $place$;
CREATE TRIGGER clock_placed BEFORE INSERT ON clock FOR EACH ROW EXECUTE FUNCTION place_clock();

CREATE FUNCTION place_clocks() RETURNS trigger LANGUAGE plpgsql AS $place$
BEGIN
    UPDATE {schema}.clock SET in_region = NEW.region, of_team = NEW.team WHERE subject_id = NEW.id;
    RETURN NULL;
END $place$;
CREATE TRIGGER subject_placed AFTER UPDATE ON subject FOR EACH ROW
    WHEN ((OLD.region, OLD.team) IS DISTINCT FROM (NEW.region, NEW.team))
    EXECUTE FUNCTION place_clocks();
"""


def upgrade() -> None:
    execute_script(_BOARD)
