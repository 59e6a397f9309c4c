"""Plain SQL in migrations, many statements at a time."""

from __future__ import annotations

from alembic import op
from sqlalchemy.util import await_only


def execute_script(sql: str) -> None:
    """Run `sql` in the migration's transaction; `{schema}` and `{role}` stand for the service's own."""
    schema = op.get_context().opts["schema"]
    driver = op.get_bind().connection.driver_connection  # prepared statements take one command only
    assert driver is not None
    await_only(driver.execute(sql.replace("{schema}", schema).replace("{role}", schema)))
