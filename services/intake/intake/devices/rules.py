"""Whether a repair is free (R76, R77): one pure decision, with its reason."""

from __future__ import annotations

import calendar
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

State = Literal["in_warranty", "out_of_warranty", "unknown"]
Because = Literal[
    "contract",
    "extended",
    "warranty",
    "excluded",
    "expired",
    "no_purchase_date",
    "no_warranty_term",
    "before_purchase",
]
RENEWALS: Final = (30, 60, 90)
"""Days ahead that ending contracts are listed for (R105)."""


@dataclass(frozen=True, slots=True)
class Promised:
    """What was promised of one product; a date that is named is the last day it holds for."""

    purchased_on: date | None
    warranty_months: int | None
    extended_until: date | None = None
    exclusions: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Term:
    """A service contract, both days included."""

    starts_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class Coverage:
    """The decision, why, and the last day of what decided it."""

    state: State
    because: Because
    until: date | None = None


def coverage(promised: Promised, contracts: Collection[Term], on: date, cause: str | None = None) -> Coverage:
    """Whether work `on` a day is free; `cause` is the fault's code, where it is known already.

    An excluded cause (misuse, water …) is charged under warranty and extension, never under a contract that
    was bought. Where a date is missing nothing is guessed: a person asks for the invoice.
    """
    running = [each.ends_on for each in contracts if each.starts_on <= on <= each.ends_on]
    if running:
        return Coverage("in_warranty", "contract", max(running))
    if cause is not None and cause in promised.exclusions:
        return Coverage("out_of_warranty", "excluded")
    if promised.purchased_on is not None and on < promised.purchased_on:
        return Coverage("unknown", "before_purchase")
    if promised.extended_until is not None and on <= promised.extended_until:
        return Coverage("in_warranty", "extended", promised.extended_until)
    if promised.purchased_on is None:
        return Coverage("unknown", "no_purchase_date")
    if promised.warranty_months is None:
        return Coverage("unknown", "no_warranty_term")
    ends = months_after(promised.purchased_on, promised.warranty_months)
    if on <= ends:
        return Coverage("in_warranty", "warranty", ends)
    return Coverage("out_of_warranty", "expired", max(ends, promised.extended_until or ends))


def months_after(day: date, months: int) -> date:
    """The corresponding day, or the month's last where it has none: 31 January and a month is 28 February."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
