"""What providers announced and keep for us to fetch, and how far it was."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text

from intake.tables.base import metadata, moment

pull = Table(
    "pull",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("token", Text, nullable=False),
    Column("told", Integer, nullable=False),
    Column("told_at", moment, nullable=False),
    Column("begun_at", moment, nullable=False),
    Column("cursor", Text),
    Column("due_at", moment, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("detail", Text),
    comment="One source of an account; told counts announcements, cursor is how far all is stored.",
)
