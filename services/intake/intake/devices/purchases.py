"""What sales sold (R12): lines of CSV or JSON become products and their owners, each line by itself."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, StringConstraints, TypeAdapter, ValidationError

from intake.channels.input import Customer, NotBlank
from intake.channels.routes import identities
from intake.customers.store import recognise
from intake.devices import store
from intake.requests.rules import Identity
from shared.clock import uuid7
from shared.db import Tx
from shared.events.terms import Code, Level
from shared.sent import Sent

MOST_LINES: Final = 5_000
Outcome = Literal["new", "changed", "unchanged", "refused"]


class Purchase(Sent):
    """One sold product; CSV has these names in its first line. Empty is not known."""

    serial: Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True), NotBlank]
    model: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
    product_line: Code | None = None
    order: Annotated[str, StringConstraints(max_length=100)] | None = None
    purchased_on: date | None = None
    warranty_months: int | None = Field(default=None, ge=0, le=600)
    extended_until: date | None = None
    exclusions: tuple[Code, ...] = ()
    customer: Customer | None = None


class Line(BaseModel):
    """What became of one line; of a refused one, what is wrong where."""

    line: int
    outcome: Outcome
    problems: list[str] = []


@dataclass(frozen=True, slots=True)
class _Buyer:
    """Whom a product was sold to, as customers are recognised."""

    identities: tuple[Identity, ...]
    name: str
    level: Level


_WHOLE: Final = TypeAdapter(int)
_OF_CUSTOMERS: Final = ("name", "phone", "email", "external_id", "level")


def read_csv(text: str) -> Iterator[dict[str, Any]]:
    """Each line as JSON would have it; the columns of the customer are named name, phone, email …"""
    for row in csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True):
        filled: dict[str, Any] = {key or "?": value for key, value in row.items() if value not in (None, "")}
        customer = {name: filled.pop(name) for name in _OF_CUSTOMERS if name in filled}
        if "exclusions" in filled:
            filled["exclusions"] = str(filled["exclusions"]).split()
        if "warranty_months" in filled:
            filled["warranty_months"] = _number(filled["warranty_months"])
        yield filled | ({"customer": customer} if customer else {})


def _number(text: Any) -> Any:
    """A whole number in a table, or the text as it is: what is wrong with it is said with the other lines."""
    try:
        return _WHOLE.validate_strings(text)
    except ValidationError:
        return text


async def take(tx: Tx, lines: Sequence[Any]) -> list[Line]:
    """Keep what is right and say what is not; the same lines again change nothing.

    Of lines with one serial number the last counts. The number of statements does not grow with the lines.
    """
    report: list[Line] = []
    right: dict[str, tuple[int, Purchase]] = {}
    for number, line in enumerate(lines, start=1):
        try:
            sold = Purchase.model_validate(line)
        except ValidationError as error:
            wrong = [f"{'/'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
            report.append(Line(line=number, outcome="refused", problems=wrong))
        else:
            report.append(Line(line=number, outcome="unchanged"))
            right[sold.serial] = number, sold
    known = await store.load_by_serial(tx, right)
    buyers, new_customers = await _buyers(tx, [sold for _, sold in right.values()])
    rows = []
    for number, sold in right.values():
        before = known.get(sold.serial)
        row = _row(sold, buyers.get(sold.serial), before)
        if before is None or any(getattr(before, name) != value for name, value in row.items()):
            report[number - 1].outcome = "changed" if before else "new"
            rows.append({**row, "updated_at": tx.now})
    await store.save(tx, rows, *new_customers)
    return report


async def _buyers(tx: Tx, sold: Sequence[Purchase]) -> tuple[dict[str, Any], Sequence[Any]]:
    named = [each for each in sold if each.customer]
    who = [
        _Buyer(identities(each.customer, "sales"), each.customer.name or "—", each.customer.level)
        for each in named
        if each.customer
    ]
    found, fresh = await recognise(tx, who)
    return {each.serial: one.id for each, one in zip(named, found, strict=True)}, fresh


def _row(sold: Purchase, customer_id: Any, before: Any) -> dict[str, Any]:
    return {
        "id": before.id if before else uuid7(),
        "serial": sold.serial,
        "model": sold.model,
        "product_line": sold.product_line,
        "customer_id": customer_id or (before.customer_id if before else None),
        "order_ref": sold.order,
        "purchased_on": sold.purchased_on,
        "warranty_months": sold.warranty_months,
        "extended_until": sold.extended_until,
        "exclusions": list(sold.exclusions),
    }
