"""What messages are found by."""

from sqlalchemy import Column, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

from intake.tables.base import metadata

findable = Table(
    "findable",
    metadata,
    Column("message_id", Uuid, primary_key=True),
    Column("request_id", Uuid, nullable=False),
    Column("grams", ARRAY(Text), nullable=False),
    comment="Of each message and its request's title; search/loops.py follows message.findable.",
)
