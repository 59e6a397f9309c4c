"""Where parts lie, and how many of them are free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Shelf(NamedTuple):
    """The place of one part in one warehouse."""

    warehouse: str
    part_number: str


@dataclass(frozen=True, slots=True)
class Balance:
    """What lies on one shelf, in pieces."""

    warehouse: str
    part_number: str
    name_en: str
    name_zh: str
    on_hand: int
    reserved: int

    @property
    def available(self) -> int:
        """What nobody has been promised."""
        return self.on_hand - self.reserved


def together(pieces: Iterable[Mapping[Shelf, int]]) -> dict[Shelf, int]:
    """The sum for each shelf: no statement may touch one row twice."""
    summed: dict[Shelf, int] = {}
    for each in pieces:
        for shelf, quantity in each.items():
            summed[shelf] = summed.get(shelf, 0) + quantity
    return summed
