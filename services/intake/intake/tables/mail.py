"""How far mailboxes have been fetched."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from intake.tables.base import metadata

mailbox_progress = Table(
    "mailbox_progress",
    metadata,
    Column("mailbox", Text, primary_key=True),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("last_uid", BigInteger, nullable=False),
    comment="The last message of each IMAP mailbox that was stored, in the numbering of its server.",
)
