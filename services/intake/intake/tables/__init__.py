"""The tables of this service; `migrations/` creates them. Contact data lives here and nowhere else.

Here are those of requests and the conversation; each other feature's are in a module of its name beside this.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    FetchedValue,
    Float,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from intake.tables.base import metadata, moment

__all__ = [
    "call",
    "call_event",
    "call_recording",
    "customer",
    "identity",
    "message",
    "metadata",
    "request",
    "set_aside",
    "source",
    "triage",
]

customer = Table(
    "customer",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("region", Text),
    Column("city", Text),
    Column("merged_into", Uuid),
    Column("erased_at", moment),
    Column("version", Integer, nullable=False, server_default="1"),
)

identity = Table(
    "identity",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("customer_id", Uuid, nullable=False),
    comment="How one customer is reached and recognised: e-mail in lower case, phone as digits with +.",
)

request = Table(
    "request",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", BigInteger, nullable=False, server_default=FetchedValue()),
    Column("channel", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("customer_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("city", Text, nullable=False),
    Column("product_line", Text),
    Column("title", Text, nullable=False),
    Column("received_at", moment, nullable=False),
    Column("call_id", Uuid),
    Column("ticket_id", Uuid),
    Column("answered_at", moment),
    Column("door", Text),
    Column("session", Text),
    Column("closed_at", moment),
    Column("reopened_at", moment),
    Column("solved_at", moment),
    Column("version", Integer, nullable=False),
)

source = Table(
    "source",
    metadata,
    Column("message_id", Uuid, primary_key=True),
    Column("content_type", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    comment="What came in, byte for byte: first messages and replies alike.",
)

triage = Table(
    "triage",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("request_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("reasons", JSONB, nullable=False),
    Column("by", Text),
    Column("rules_version", Integer),
    Column("difficulty", Integer),
    Column("skills", JSONB),
    Column("parts", JSONB),
    Column("hours", Float),
    comment="Every judgement: the rules' (by is null), with their version, and whoever overruled them.",
)

message = Table(
    "message",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("request_id", Uuid, nullable=False),
    Column("direction", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("external_id", Text),
    Column("address", Text),
    Column("sender_name", Text),
    Column("author", Text, nullable=False),
    Column("author_name", Text),
    Column("template", Text),
    Column("link", Text),
    Column("text", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("cause", Uuid),
    # How it leaves: see `intake.sending`. A lane of "" is no way, none at all is that nobody has looked yet.
    Column("facts", JSONB),
    Column("lane", Text),
    Column("queued_at", moment),
    Column("due_at", moment),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("round", Integer, nullable=False, server_default="1"),
    Column("sent_at", moment),
    Column("sent_id", Text),
    Column("why", Text),
    Column("detail", Text),
    Column("findable", Boolean, nullable=False, server_default="false"),
    comment="The conversation; cause is the event that asked for it, so that it is asked for once.",
)

set_aside = Table(
    "set_aside",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("url", Text),
    comment="What came in and asks for nothing: automatic replies and the like. Kept, never answered.",
)

call = Table(
    "call",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("request_id", Uuid),
    Column("state", Text, nullable=False),
    Column("rang_at", moment, nullable=False),
    Column("version", Integer, nullable=False),
    Column("caller", Text),
)

call_recording = Table(
    "call_recording",
    metadata,
    Column("call_id", Uuid, primary_key=True),
    Column("reference", Text, primary_key=True),
    Column("consent_at", moment, nullable=False),
    comment="Where a recording lies, which whoever is heard on it agreed to; the recording is never here.",
)

call_event = Table(
    "call_event",
    metadata,
    Column("call_id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("happened_at", moment, nullable=False),
)
