"""The tables of this service; `migrations/` creates them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Integer, MetaData, Table, Text, Uuid

metadata = MetaData()

part = Table(
    "part",
    metadata,
    Column("part_number", Text, primary_key=True),
    Column("name_en", Text, nullable=False),
    Column("name_zh", Text, nullable=False),
)

warehouse = Table(
    "warehouse",
    metadata,
    Column("code", Text, primary_key=True),
    Column("centre", Text, nullable=False),
    comment="One per service centre.",
)

movement = Table(
    "movement",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("warehouse", Text, nullable=False),
    Column("part_number", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("reference", Text, nullable=False),
    comment="The ledger: append-only, and the truth. In positive, out negative; its id tells when.",
)

balance = Table(
    "balance",
    metadata,
    Column("warehouse", Text, primary_key=True),
    Column("part_number", Text, primary_key=True),
    Column("on_hand", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    comment="What the ledger and the held requisitions add up to.",
)

requisition = Table(
    "requisition",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("ticket_id", Uuid, nullable=False),
    Column("ticket_version", BigInteger, nullable=False),
    Column("engineer_id", Uuid, nullable=False),
    Column("warehouse", Text),
    Column("state", Text, nullable=False),
    Column("held_until", DateTime(timezone=True)),
    Column("version", Integer, nullable=False),
    Column("expected_at", DateTime(timezone=True)),
    comment="`ticket_version` is that of the ticket when it asked: a close before it does not end it.",
)

requisition_line = Table(
    "requisition_line",
    metadata,
    Column("requisition_id", Uuid, primary_key=True),
    Column("part_number", Text, primary_key=True),
    Column("quantity", BigInteger, nullable=False),
)

requisition_use = Table(
    "requisition_use",
    metadata,
    Column("requisition_id", Uuid, primary_key=True),
    Column("part_number", Text, primary_key=True),
    Column("quantity", BigInteger, nullable=False),
    comment="What was built in where that was less than was held; without rows all of it was.",
)

closed_ticket = Table(
    "closed_ticket",
    metadata,
    Column("ticket_id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    comment="The newest close of each ticket, so that a request that is told after it holds nothing.",
)
