"""Answer templates: what is said often, as data."""

from sqlalchemy import Column, Integer, Table, Text, Uuid

from intake.tables.base import metadata, moment

answer_template = Table(
    "answer_template",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("language", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", moment, nullable=False),
)
