"""Files that came with messages, and requests that messages name without proof."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, LargeBinary, Table, Text, Uuid

from intake.tables.base import metadata

attachment = Table(
    "attachment",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("message_id", Uuid, nullable=False),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("inline", Boolean, nullable=False),
    Column("content", LargeBinary, nullable=False),
    comment="Files as customers sent them; the name is safe to show and to save under, the bytes are not.",
)

thread_suggestion = Table(
    "thread_suggestion",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("other_id", Uuid, nullable=False),
    comment="The request that the first message of another names as its thread, without proof.",
)
