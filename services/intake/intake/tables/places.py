"""What an organisation adds to the places that are shipped, and where requests were said to be."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from intake.tables.base import metadata, moment

place_catalogue = Table(
    "place_catalogue",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("places", JSONB, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", moment, nullable=False),
    comment="An organisation's own places, each version whole; the newest counts.",
)

located = Table(
    "located",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("request_id", Uuid, nullable=False),
    Column("told_region", Text, nullable=False),
    Column("told_city", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("city", Text, nullable=False),
    Column("finding", Text),
    Column("by", Text),
    comment="Where a person has to look, with the words that were told (by is null), and what they set.",
)
