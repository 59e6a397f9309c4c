"""Acknowledgements: which request has been thought of, and who heard lately."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table, Uuid

from intake.tables.base import metadata, moment

acknowledgement = Table(
    "acknowledgement",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("until", moment),
    Column("decided_at", moment),
    comment="By when the customer was promised an answer, once that is known, and whether they were told.",
)

greeted = Table(
    "greeted",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("greeted_at", moment, nullable=False),
    comment="When an address was last sent an acknowledgement; SHA-256, so that nobody has to erase it.",
)
