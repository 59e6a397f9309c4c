"""The tables of requests that are one request."""

from sqlalchemy import Column, Table, Text, Uuid

from intake.tables.base import metadata, moment

duplicate = Table(
    "duplicate",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("main_id", Uuid, primary_key=True),
    Column("state", Text, nullable=False),
    comment="merged: the first is part of the second; apart: a person said that they are two.",
)

duplicate_step = Table(
    "duplicate_step",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("request_id", Uuid, nullable=False),
    Column("main_id", Uuid, nullable=False),
    Column("step", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", moment, nullable=False),
    comment="Who merged and split what, when.",
)
