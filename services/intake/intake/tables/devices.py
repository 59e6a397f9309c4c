"""What customers own: products by serial number, contracts, and which request is about which product."""

from __future__ import annotations

from sqlalchemy import Column, Date, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from intake.tables.base import metadata, moment

device = Table(
    "device",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("serial", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("product_line", Text),
    Column("customer_id", Uuid),
    Column("order_ref", Text),
    Column("purchased_on", Date),
    Column("warranty_months", Integer),
    Column("extended_until", Date),
    Column("exclusions", JSONB, nullable=False),
    Column("updated_at", moment, nullable=False),
    comment="A product that was sold; what its maker promised, as far as it is known.",
)

contract = Table(
    "contract",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", Text, nullable=False),
    Column("customer_id", Uuid, nullable=False),
    Column("device_id", Uuid),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date, nullable=False),
    Column("by", Text, nullable=False),
    comment="Service that a customer has paid for; of all their products where device_id is null.",
)

request_device = Table(
    "request_device",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("device_id", Uuid, nullable=False),
    comment="Which product a request is about, as its signed label said.",
)
