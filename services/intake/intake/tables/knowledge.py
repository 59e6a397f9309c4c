"""The tables of the knowledge base (R117, R118)."""

from sqlalchemy import ARRAY, Column, Date, Integer, Table, Text, Uuid

from intake.tables.base import metadata, moment

article = Table(
    "article",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("product_line", Text),
    Column("audience", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("review_on", Date, nullable=False),
    Column("state", Text, nullable=False),
    Column("latest", Integer, nullable=False),
    Column("published", Integer),
    Column("title_grams", ARRAY(Text), nullable=False),
    Column("grams", ARRAY(Text), nullable=False),
    comment="latest is the newest version, published the one that readers see; grams are of that one.",
)

article_version = Table(
    "article_version",
    metadata,
    Column("article_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", moment, nullable=False),
)

article_usage = Table(
    "article_usage",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("article_id", Uuid, nullable=False),
    Column("request_id", Uuid),
    Column("what", Text, nullable=False),
    Column("at", moment, nullable=False),
    comment="Suggested, used and helped: once per request; without one, what customers said of a help page.",
)
