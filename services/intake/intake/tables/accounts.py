"""Accounts at providers, and what these tell of the messages we sent."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table, Text

from intake.tables.base import metadata, moment

channel_account = Table(
    "channel_account",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("region", Text, nullable=False),
    Column("city", Text, nullable=False),
    Column("product_line", Text),
    Column("sealed", LargeBinary, nullable=False),
    Column("updated_at", moment, nullable=False),
    comment="Secrets are sealed with a key of the process, so that a dump of the database tells none.",
)

delivery_told = Table(
    "delivery_told",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("external_id", Text, primary_key=True),
    Column("state", Text, primary_key=True),
    Column("told_at", moment, nullable=False),
    Column("detail", Text, nullable=False),
    comment="What a provider told of a message that we sent, each once, in any order.",
)
