"""Two customers that are one person: their things move together, and back again when that was wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Table, select, tuple_, update

from intake.customers.access import NoSuchCustomer
from intake.tables import customer, identity, request
from intake.tables.customers import consent, customer_merge
from intake.tables.devices import contract, device
from shared.clock import uuid7
from shared.db import Tx, insert_rows
from shared.db.audit import record
from shared.errors import AftercareError
from shared.events.intake import CustomerChanged
from shared.events.terms import Level
from shared.outbox.emit import emit

__all__ = ["NotToBeMerged", "NotToBeUndone", "merge", "undo"]

OWNED: tuple[Table, ...] = (request, consent, device, contract)
"""What belongs to a customer and moves with them: tables with `id` and `customer_id`."""


class NotToBeMerged(AftercareError):
    """One of the two is erased or merged already, or both are the same; look at them again."""

    kind: ClassVar = "conflict"


class NotToBeUndone(AftercareError):
    """This merge is undone already, or a later one has to be undone first."""

    kind: ClassVar = "conflict"


async def merge(tx: Tx, kept_id: UUID, gone_id: UUID, by: str) -> UUID:
    """`gone_id` becomes part of `kept_id`; returns the merge, by which it can be undone.

    The higher level counts, and a name where the other has none. Raises `NotToBeMerged`.
    """
    kept, gone = await _lock(tx, kept_id, gone_id)
    if kept_id == gone_id or any(each.merged_into or each.erased_at for each in (kept, gone)):
        raise NotToBeMerged
    moved: dict[str, Any] = {"identities": await _move_identities(tx, gone_id, kept_id, None)}
    for table in OWNED:
        moved[table.name] = await _move(tx, table, gone_id, kept_id, None)
    after = {
        "level": "vip" if "vip" in (kept.level, gone.level) else kept.level,
        "name": gone.name if kept.name == "—" else kept.name,
    }
    moved |= {"before": {name: getattr(kept, name) for name in after}, "after": after}
    await _change(tx, kept_id, **after)
    await _change(tx, gone_id, merged_into=kept_id)
    _tell_levels(tx, {kept: (kept.level, after["level"]), gone: (gone.level, after["level"])})
    id = uuid7()
    row = {"id": id, "kept_id": kept_id, "gone_id": gone_id, "moved": moved, "at": tx.now, "by": by}
    await insert_rows(tx, customer_merge, [row])
    await record(tx, by, "customers_merged", str(kept_id), {"gone": str(gone_id), "merge": str(id)})
    return id


async def undo(tx: Tx, kept_id: UUID, id: UUID, by: str) -> UUID:
    """Everything that moved and is still there goes back; returns who is a customer of their own again."""
    chosen = select(customer_merge).where(customer_merge.c.id == id, customer_merge.c.kept_id == kept_id)
    done = (await tx.execute(chosen.with_for_update())).first()
    if done is None:
        raise NoSuchCustomer
    kept, gone = await _lock(tx, done.kept_id, done.gone_id)
    if done.undone_at or kept.merged_into or kept.erased_at or gone.merged_into != kept.id:
        raise NotToBeUndone
    await _move_identities(tx, kept.id, gone.id, done.moved["identities"])
    for table in OWNED:
        await _move(tx, table, kept.id, gone.id, done.moved.get(table.name, []))
    after = done.moved["after"]
    back = {name: was for name, was in done.moved["before"].items() if getattr(kept, name) == after[name]}
    await _change(tx, kept.id, **back)
    await _change(tx, gone.id, merged_into=None)
    told = {kept: (kept.level, back.get("level", kept.level)), gone: (after["level"], gone.level)}
    _tell_levels(tx, told)
    ended = update(customer_merge).where(customer_merge.c.id == id)
    await tx.execute(ended.values(undone_at=tx.now, undone_by=by))
    await record(tx, by, "merge_undone", str(kept.id), {"gone": str(gone.id), "merge": str(id)})
    restored: UUID = gone.id
    return restored


async def _lock(tx: Tx, *ids: UUID) -> list[Any]:
    chosen = select(customer).where(customer.c.id.in_(sorted(set(ids)))).order_by(customer.c.id)
    found = {row.id: row for row in await tx.execute(chosen.with_for_update())}
    if len(found) < len(set(ids)):
        raise NoSuchCustomer
    return [found[id] for id in ids]


async def _change(tx: Tx, id: UUID, **changes: Any) -> None:
    changes["version"] = customer.c.version + 1
    await tx.execute(update(customer).where(customer.c.id == id).values(changes))


def _tell_levels(tx: Tx, levels: Mapping[Any, tuple[Level, Level]]) -> None:
    """Tickets know both of them: who has another level than was known, by their rows before the change."""
    for row, (before, after) in levels.items():
        if before != after:
            emit(tx, CustomerChanged(level=after), subject=row.id, sequence=row.version + 1)


async def _move(tx: Tx, table: Table, source: UUID, target: UUID, only: Sequence[str] | None) -> list[str]:
    """The rows of one customer, or those of `only` that are still theirs, to another; returns their ids."""
    moved = update(table).where(table.c.customer_id == source).values(customer_id=target)
    if only is not None:
        moved = moved.where(table.c.id.in_([UUID(each) for each in only]))
    return sorted(str(row.id) for row in await tx.execute(moved.returning(table.c.id)))


async def _move_identities(
    tx: Tx, source: UUID, target: UUID, only: Sequence[Sequence[str]] | None
) -> list[list[str]]:
    moved = update(identity).where(identity.c.customer_id == source).values(customer_id=target)
    if only is not None:
        moved = moved.where(tuple_(identity.c.kind, identity.c.value).in_([tuple(each) for each in only]))
    found = await tx.execute(moved.returning(identity.c.kind, identity.c.value))
    return sorted([row.kind, row.value] for row in found)
