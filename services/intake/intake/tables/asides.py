"""What was replayed of what could not be read when it came."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text, Uuid

from intake.tables.base import metadata, moment

replayed = Table(
    "replayed",
    metadata,
    Column("set_aside_id", Uuid, primary_key=True),
    Column("at", moment, nullable=False),
    Column("by", Text, nullable=False),
    Column("messages", Integer, nullable=False),
    Column("others", Integer, nullable=False),
    comment="Who had which call read again, and how many messages and other things came of it.",
)
