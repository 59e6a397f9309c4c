"""The table of what happened to the tickets of our requests."""

from sqlalchemy import BigInteger, Column, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from intake.tables.base import metadata, moment

ticket_step = Table(
    "ticket_step",
    metadata,
    Column("ticket_id", Uuid, primary_key=True),
    Column("event_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("at", moment, nullable=False),
    Column("facts", JSONB, nullable=False),
    comment="What customers read of their ticket; no names, and it may come before the ticket is known here.",
)
