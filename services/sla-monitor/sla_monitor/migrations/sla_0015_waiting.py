"""Waiting, cancelled and reopened tickets: the policy that ships now follows what shipped before."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from alembic import op
from sqlalchemy import func, select

revision = "sla_0015"
down_revision = "sla_0014"
branch_labels = None
depends_on = None

# What begins while this is being stored obeys the version before it, and goes on to.
_SETTLING: Final = timedelta(seconds=2)


def upgrade() -> None:
    """Only where what shipped is the newest version: a policy that the house published is its own word."""
    from sla_monitor.policies import store
    from sla_monitor.policies.shipped import SHIPPED

    table = store.policy_version
    newest = op.get_bind().execute(select(table).order_by(table.c.version.desc()).limit(1)).one()
    now = op.get_bind().execute(select(func.clock_timestamp())).scalar_one()
    row = store.row_of(newest.version + 1, now + _SETTLING, SHIPPED, "shipped")
    if newest.source == "shipped" and row["digest"] != newest.digest:
        op.bulk_insert(table, [row])
