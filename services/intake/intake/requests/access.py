"""Who sees which request: the one place that decides (R125).

A limit shows what is known to lie within it. What somebody may not see does not exist for them (404), in a
list as by its number.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import UUID

from sqlalchemy import ColumnElement, select

from intake.requests import store
from intake.requests.store import NoSuchRequest, Request
from intake.tables import customer, request
from shared.db import Tx
from shared.http.auth import Principal


@dataclass(frozen=True, slots=True)
class Limits:
    """What a person's work is limited to; None is no limit."""

    regions: frozenset[str] | None = None
    product_lines: frozenset[str] | None = None
    customer_levels: frozenset[str] | None = None

    @classmethod
    def of(cls, principal: Principal) -> Self:
        return cls(principal.regions, principal.product_lines, principal.customer_levels)

    @property
    def none(self) -> bool:
        return self.regions is None and self.product_lines is None and self.customer_levels is None

    def allow_work_in(self, region: str, product_line: str | None) -> bool:
        """Whether what concerns many customers of a region and a product line is theirs to see."""
        return (self.regions is None or region in self.regions) and (
            self.product_lines is None or product_line in self.product_lines
        )


NO_LIMITS: Final = Limits()


def within(limits: Limits) -> Sequence[ColumnElement[bool]]:
    """The conditions on the table of requests that hold for all that `limits` show."""
    found: list[ColumnElement[bool]] = []
    if limits.regions is not None:
        found.append(request.c.region.in_(sorted(limits.regions)))
    if limits.product_lines is not None:
        found.append(request.c.product_line.in_(sorted(limits.product_lines)))
    if limits.customer_levels is not None:
        level: Any = select(customer.c.level).where(customer.c.id == request.c.customer_id).scalar_subquery()
        found.append(level.in_(sorted(limits.customer_levels)))
    return found


async def load(tx: Tx, viewer: Principal, id: UUID) -> Request:
    """The request, to be read; `NoSuchRequest` when it does not exist for `viewer`."""
    found = await store.load(tx, id)
    await require(tx, viewer, {id})
    return found


async def lock(tx: Tx, viewer: Principal, id: UUID) -> Request:
    """The same, held until the transaction ends."""
    found = await store.lock(tx, id)
    await require(tx, viewer, {id})
    return found


async def load_newest(tx: Tx, viewer: Principal, most: int, before: UUID | None = None) -> list[Request]:
    """The newest that `viewer` may see, first."""
    return await store.load_newest(tx, most, before, within(Limits.of(viewer)))


async def visible(tx: Tx, viewer: Principal, ids: Collection[UUID]) -> set[UUID]:
    """Which of these requests `viewer` may see; without limits all of them, whether they are there or not."""
    limits = Limits.of(viewer)
    if limits.none or not ids:
        return set(ids)
    query = select(request.c.id).where(request.c.id.in_(sorted(ids)), *within(limits))
    return set((await tx.execute(query)).scalars())


async def require(tx: Tx, viewer: Principal, ids: Collection[UUID]) -> None:
    """Raise `NoSuchRequest` unless `viewer` may see all of these."""
    if len(await visible(tx, viewer, set(ids))) < len(set(ids)):
        raise NoSuchRequest
