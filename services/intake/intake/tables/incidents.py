"""The tables of mass incidents: one cause, many requests (R13)."""

from sqlalchemy import Boolean, Column, Float, Integer, Table, Text, Uuid

from intake.tables.base import metadata, moment

incident = Table(
    "incident",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("state", Text, nullable=False),
    Column("product_line", Text),
    Column("region", Text, nullable=False),
    Column("symptom", Text, nullable=False),
    Column("customers", Integer, nullable=False),
    Column("usual", Float, nullable=False),
    Column("title", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("recovery_at", moment),
    Column("revision", Integer, nullable=False),
    Column("proposed_at", moment, nullable=False),
    Column("settled_at", moment),
    comment="revision 0 is a proposal; each declaration, update and end is one more, and is told once.",
)

incident_revision = Table(
    "incident_revision",
    metadata,
    Column("incident_id", Uuid, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("step", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("recovery_at", moment),
    Column("note", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", moment, nullable=False),
    comment="What was said when, and by whom.",
)

incident_link = Table(
    "incident_link",
    metadata,
    Column("incident_id", Uuid, primary_key=True),
    Column("request_id", Uuid, primary_key=True),
    Column("linked", Boolean, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", moment, nullable=False),
    comment="Not linked: a person took it out, and it is not suggested again.",
)

incident_notice = Table(
    "incident_notice",
    metadata,
    Column("incident_id", Uuid, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("customer_id", Uuid, primary_key=True),
    Column("message_id", Uuid, nullable=False),
    comment="Who was told of which revision: once each, whatever happens.",
)
