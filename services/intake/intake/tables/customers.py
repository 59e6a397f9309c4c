"""What is known of customers beside how they are reached: consent, and who was taken for whom."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from intake.tables.base import metadata, moment

consent = Table(
    "consent",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("customer_id", Uuid, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("given", Boolean, nullable=False),
    Column("source", Text, nullable=False),
    Column("at", moment, nullable=False),
    Column("by", Text, nullable=False),
    comment="Given or withdrawn, per purpose and channel; the newest counts, those before are kept.",
)

customer_merge = Table(
    "customer_merge",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kept_id", Uuid, nullable=False),
    Column("gone_id", Uuid, nullable=False),
    Column("moved", JSONB, nullable=False),
    Column("at", moment, nullable=False),
    Column("by", Text, nullable=False),
    Column("undone_at", moment),
    Column("undone_by", Text),
    comment="Two that were one; what was moved, so that it can be moved back.",
)
