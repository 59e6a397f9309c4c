"""Products and contracts: the only SQL about them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select

from intake.devices.rules import Coverage, Promised, Term, coverage
from intake.tables.devices import contract, device, request_device
from shared.db import Tx, insert_rows
from shared.db.rows import Rows
from shared.errors import AftercareError

_CHANGED = ", ".join(
    f"{column.name} = EXCLUDED.{column.name}"
    for column in device.columns
    if column.name not in ("id", "serial")
)
SAVED = f"ON CONFLICT (serial) DO UPDATE SET {_CHANGED}"


class NoSuchDevice(AftercareError):
    """There is no product with this number here, or it is not yours to see."""

    kind = "not_found"


async def load(tx: Tx, id: UUID) -> Any:
    """Raises `NoSuchDevice`."""
    row = (await tx.execute(select(device).where(device.c.id == id))).first()
    if row is None:
        raise NoSuchDevice
    return row


async def load_by_serial(tx: Tx, serials: Collection[str]) -> dict[str, Any]:
    found = await tx.execute(select(device).where(device.c.serial.in_(sorted(set(serials)))))
    return {row.serial: row for row in found}


async def load_of(tx: Tx, customer_id: UUID) -> Sequence[Any]:
    """A customer's products."""
    chosen = select(device).where(device.c.customer_id == customer_id).order_by(device.c.serial)
    return (await tx.execute(chosen)).all()


async def load_about(tx: Tx, request_id: UUID) -> Any | None:
    """The product that a request is about, as far as anybody said."""
    linked = request_device.c.device_id == device.c.id
    chosen = select(device).join(request_device, linked).where(request_device.c.request_id == request_id)
    return (await tx.execute(chosen)).first()


async def save_about(tx: Tx, request_id: UUID, device_id: UUID) -> None:
    """Which product it is about; what was said before gives way."""
    tail = "ON CONFLICT (request_id) DO UPDATE SET device_id = EXCLUDED.device_id"
    await insert_rows(tx, request_device, [{"request_id": request_id, "device_id": device_id}], tail=tail)


async def save(tx: Tx, rows: Sequence[dict[str, Any]], *others: Rows) -> None:
    """New products and what changed of known ones, with what they refer to before them."""
    for table, fresh in others:
        await insert_rows(tx, table, fresh)
    await insert_rows(tx, device, rows, tail=SAVED)


async def covered(tx: Tx, devices: Sequence[Any], on: date, cause: str | None = None) -> list[Coverage]:
    """The decision for each product, by its own contracts and those of all its owner's products."""
    owners = {each.customer_id for each in devices if each.customer_id}
    chosen = select(contract).where(
        or_(contract.c.device_id.in_([each.id for each in devices]), contract.c.customer_id.in_(owners))
    )
    contracts = (await tx.execute(chosen)).all()
    return [
        coverage(
            Promised(each.purchased_on, each.warranty_months, each.extended_until, each.exclusions),
            [Term(one.starts_on, one.ends_on) for one in contracts if _is_for(one, each)],
            on,
            cause,
        )
        for each in devices
    ]


def _is_for(one: Any, each: Any) -> bool:
    if one.device_id is not None:
        return bool(one.device_id == each.id)
    return bool(one.customer_id == each.customer_id)


async def load_contracts(tx: Tx, customer_id: UUID) -> Sequence[Any]:
    chosen = select(contract).where(contract.c.customer_id == customer_id).order_by(contract.c.ends_on)
    return (await tx.execute(chosen)).all()


async def load_ending(tx: Tx, first: date, last: date) -> Sequence[Any]:
    """Contracts that end from `first` to `last`, the next first."""
    chosen = select(contract).where(contract.c.ends_on.between(first, last))
    return (await tx.execute(chosen.order_by(contract.c.ends_on, contract.c.number))).all()


async def save_contract(tx: Tx, row: dict[str, Any]) -> None:
    changed = ["customer_id", "device_id", "starts_on", "ends_on", "by"]
    tail = ", ".join(f"{name} = EXCLUDED.{name}" for name in changed)
    await insert_rows(tx, contract, [row], tail=f"ON CONFLICT (number) DO UPDATE SET {tail}")
