"""Versions of the triage rules that were published here; the shipped one is a file."""

from sqlalchemy import Column, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from intake.tables.base import metadata, moment

triage_rules = Table(
    "triage_rules",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("published_at", moment, nullable=False),
    Column("by", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("document", JSONB, nullable=False),
    comment="Rules as data; digest is the SHA-256 of the document, by which processes keep it ready.",
)
