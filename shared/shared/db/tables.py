"""The tables that every service has in its own schema; `migrations/` creates them.

Unqualified names: each service's connections look in its own schema only.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
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
from sqlalchemy.dialects.postgresql import JSONB

core = MetaData()
_moment = DateTime(timezone=True)

event_log = Table(
    "event_log",
    core,
    Column("id", Uuid, primary_key=True),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("lane", Text, nullable=False),
    Column("body", Text, nullable=False),
    comment="Every event this service ever published; append-only, partitioned by the time in its id.",
)

outbox = Table(
    "outbox",
    core,
    Column("event_id", Uuid, primary_key=True),
    Column("type", Text, nullable=False),
    Column("lane", Text, primary_key=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("retry_at", _moment),
    comment="Events the bus has not confirmed yet; retry_at is set when a message was returned.",
)

delivery = Table(
    "delivery",
    core,
    Column("event_id", Uuid, primary_key=True),
    Column("subscriber", Text, primary_key=True),
    Column("lane", Text, nullable=False),
    comment="The memory bus: what each subscriber has not committed yet.",
)

inbox = Table(
    "inbox",
    core,
    Column("event_id", Uuid, primary_key=True),
    Column("type", Text, nullable=False),
    Column("received_at", _moment, nullable=False),
    comment="Events whose effect is in this schema; the key is the only guard against a second effect.",
)

parked = Table(
    "parked",
    core,
    Column("event_id", Uuid, primary_key=True),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", _moment, nullable=False),
    Column("error", Text, nullable=False),
    comment="Events a handler failed on, waiting for their next attempt.",
)

dead_letter = Table(
    "dead_letter",
    core,
    Column("id", Uuid, primary_key=True),
    Column("event_id", Uuid),
    Column("reason", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lane", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    comment="What could not be handled, its bytes and the reason; one row however often it is delivered.",
)

idempotency = Table(
    "idempotency",
    core,
    Column("principal", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("body_hash", LargeBinary, nullable=False),
    Column("status", SmallInteger),
    Column("headers", JSONB),
    Column("body", LargeBinary),
    Column("created_at", _moment, nullable=False),
    comment="Answers already given, written in the transaction of what they guard.",
)

audit = Table(
    "audit",
    core,
    Column("id", Uuid, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", JSONB, nullable=False),
    comment="Who did what to what: overrides and every read of contact data; append-only.",
)
