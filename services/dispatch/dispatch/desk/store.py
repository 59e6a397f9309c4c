"""The newest word of the service desk on requests and customers, also before they have a ticket."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Table,
    Text,
    Uuid,
    and_,
    bindparam,
    or_,
    select,
    text,
)

from dispatch.tables import among, metadata
from shared.db import Tx, insert_rows
from shared.events.terms import Level

request_told: Final = Table(
    "request_told",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("main_id", Uuid),
    Column("merged", Boolean, nullable=False),
    Column("merge_version", BigInteger, nullable=False),
    Column("solved_version", BigInteger, nullable=False),
)
customer_told: Final = Table(
    "customer_told",
    metadata,
    Column("customer_id", Uuid, primary_key=True),
    Column("level", Text),
    Column("level_version", BigInteger, nullable=False),
    Column("erased", Boolean, nullable=False),
)


@dataclass(frozen=True, slots=True)
class RequestTold:
    """What the desk said last: which request this one is `merged` into or was, and whether it is solved."""

    request_id: UUID
    main_id: UUID | None
    merged: bool
    merge_version: int
    solved_version: int


@dataclass(frozen=True, slots=True)
class CustomerTold:
    """What the desk said last of a customer; `level` is None where it said nothing of it."""

    customer_id: UUID
    level: Level | None
    level_version: int
    erased: bool


_JOINED: Final = """
ON CONFLICT (request_id) DO UPDATE SET main_id = EXCLUDED.main_id, merged = EXCLUDED.merged,
    merge_version = EXCLUDED.merge_version WHERE request_told.merge_version < EXCLUDED.merge_version
RETURNING request_id
"""
_SOLVED: Final = """
ON CONFLICT (request_id) DO UPDATE SET solved_version = EXCLUDED.solved_version
    WHERE request_told.solved_version < EXCLUDED.solved_version
RETURNING request_id
"""
_LEVEL: Final = """
ON CONFLICT (customer_id) DO UPDATE SET level = EXCLUDED.level, level_version = EXCLUDED.level_version
    WHERE customer_told.level_version < EXCLUDED.level_version
"""
_ERASED: Final = "ON CONFLICT (customer_id) DO UPDATE SET erased = true WHERE NOT customer_told.erased"


async def save_joined(tx: Tx, told: Iterable[tuple[UUID, UUID, bool, int]]) -> set[UUID]:
    """(request, main request, whether it is part of it, the request's version); of which that is news."""
    rows = [
        _request(request_id, main_id=main_id, merged=merged, merge_version=version)
        for request_id, main_id, merged, version in told
    ]
    return {row.request_id for row in await insert_rows(tx, request_told, rows, tail=_JOINED)}


async def save_solved(tx: Tx, told: Mapping[UUID, int]) -> set[UUID]:
    """Requests that the desk solved, each with its version; of which that is news."""
    rows = [_request(request_id, solved_version=version) for request_id, version in told.items()]
    return {row.request_id for row in await insert_rows(tx, request_told, rows, tail=_SOLVED)}


def _request(request_id: UUID, **said: Any) -> dict[str, Any]:
    nothing = {"main_id": None, "merged": False, "merge_version": 0, "solved_version": 0}
    return {"request_id": request_id, **nothing, **said}


async def save_levels(tx: Tx, told: Mapping[UUID, tuple[Level, int]]) -> None:
    """Customers with their level, and the version of the customer that has it."""
    rows = [
        {"customer_id": each, "level": level, "level_version": version, "erased": False}
        for each, (level, version) in told.items()
    ]
    await insert_rows(tx, customer_told, rows, tail=_LEVEL)


async def save_erased(tx: Tx, customers: Collection[UUID]) -> None:
    rows = [{"customer_id": each, "level": None, "level_version": 0, "erased": True} for each in customers]
    await insert_rows(tx, customer_told, rows, tail=_ERASED)


async def load_requests(tx: Tx, requests: Collection[UUID]) -> list[RequestTold]:
    """What is known of `requests`, and of those that are part of any of them."""
    part_of = and_(request_told.c.merged, among(request_told.c.main_id, requests))
    chosen = select(request_told).where(or_(among(request_told.c.request_id, requests), part_of))
    return [RequestTold(**row._mapping) for row in await tx.execute(chosen)]


async def load_customers(tx: Tx, customers: Collection[UUID]) -> dict[UUID, CustomerTold]:
    chosen = select(customer_told).where(among(customer_told.c.customer_id, customers))
    return {row.customer_id: CustomerTold(**row._mapping) for row in await tx.execute(chosen)}


_FORGET: Final = text("SELECT forget_words(CAST(:tickets AS uuid[]))").bindparams(
    bindparam("tickets", type_=ARRAY(Uuid))
)


async def forget_words(tx: Tx, tickets: Collection[UUID]) -> None:
    """What was written about `tickets` becomes a dash, in their history too; when and by whom stays."""
    await tx.execute(_FORGET, {"tickets": sorted(tickets)})
