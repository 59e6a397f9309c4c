"""What people here write to each other about a request; the customer never sees it."""

from sqlalchemy import Column, Table, Text, Uuid

from intake.tables.base import metadata, moment

note = Table(
    "note",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("request_id", Uuid, nullable=False),
    Column("author", Text, nullable=False),
    Column("author_name", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", moment, nullable=False),
    comment="A table of its own, so that nothing that sends or shows the conversation can meet one.",
)
