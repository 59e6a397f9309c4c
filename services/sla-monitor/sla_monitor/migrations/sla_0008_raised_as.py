"""As what an alert was raised: whoever knows it by its severity and region must find it again at its end."""

from __future__ import annotations

from shared.db.script import execute_script

revision = "sla_0008"
down_revision = "sla_0007"
branch_labels = None
depends_on = None

# By a trigger, so that a process of the version before notes it too. What was raised before is named by what
# is known now: nobody noted how it was told then.
_RAISED_AS = """
ALTER TABLE alert ADD raised_severity text, ADD raised_region text;
UPDATE alert SET (raised_severity, raised_region) = (
    SELECT clock.severity, subject.region FROM clock JOIN subject ON subject.id = clock.subject_id
    WHERE clock.id = alert.clock_id
);

CREATE FUNCTION name_alert() RETURNS trigger LANGUAGE plpgsql AS $name$
BEGIN
    SELECT clock.severity, subject.region INTO NEW.raised_severity, NEW.raised_region
    FROM {schema}.clock JOIN {schema}.subject ON subject.id = clock.subject_id WHERE clock.id = NEW.clock_id;
    RETURN NEW;
END $name$;
CREATE TRIGGER alert_named BEFORE INSERT ON alert FOR EACH ROW EXECUTE FUNCTION name_alert();
"""


def upgrade() -> None:
    execute_script(_RAISED_AS)
