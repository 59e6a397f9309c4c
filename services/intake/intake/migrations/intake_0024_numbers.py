"""A short number by which a customer on the telephone can name a request."""

from shared.db.script import execute_script

revision = "intake_0024"
down_revision = "intake_0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default comes first: what older code writes from here on is numbered, too.
    execute_script(
        """
        CREATE SEQUENCE request_number START WITH 100001;
        ALTER TABLE request ADD COLUMN number bigint;
        ALTER SEQUENCE request_number OWNED BY request.number;
        ALTER TABLE request ALTER COLUMN number SET DEFAULT nextval('request_number');
        UPDATE request SET number = counted.number
        FROM (
            SELECT id, nextval('request_number') AS number
            FROM (SELECT id FROM request ORDER BY id) AS oldest_first
        ) AS counted
        WHERE request.id = counted.id;
        ALTER TABLE request ALTER COLUMN number SET NOT NULL;
        CREATE UNIQUE INDEX request_number_unique ON request (number)
        """
    )
