"""The tables of this service; `migrations/` creates them."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)

metadata = MetaData()

survey = Table(
    "survey",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("ticket_id", Uuid, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("engineer_id", Uuid),
    Column("region", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("token_hash", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("score", SmallInteger),
    Column("version", Integer, nullable=False),
    comment="One per resolution episode; the score is that of the newest answer beyond suspicion.",
)

answer = Table(
    "answer",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("survey_id", Uuid, nullable=False),
    Column("score", SmallInteger, nullable=False),
    Column("comment", Text, nullable=False),
    Column("suspect", Boolean, nullable=False),
    comment="Every answer as it came; append-only.",
)
