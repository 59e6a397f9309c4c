"""Which requests of a customer seem to be one; suggested to people, never merged by itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from intake.search.bigrams import grams

WINDOW: Final = timedelta(hours=72)
ALIKE: Final = 60.0
"""Of 100: how much of the shorter text's words and character pairs the two have in common, by order too."""
_READ: Final = 2_000  # characters; a complaint is told within them

Step = Literal["merged", "split", "kept_apart"]


@dataclass(frozen=True, slots=True)
class Told:
    """One request as its customer told it."""

    id: UUID
    customer_id: UUID
    product_line: str | None
    received_at: datetime
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A request that seems to be the same, and how much alike the two are, of 100."""

    told: Told
    alike: int


def suggest(
    mine: Told, others: Sequence[Told], apart: Collection[UUID] = (), window: timedelta = WINDOW
) -> list[Suggestion]:
    """What seems to be the same: same customer, same product line, within 72 h, in like words; best first.

    `apart` are those of which a person said that they are not.
    """
    found = [
        Suggestion(each, score)
        for each in others
        if each.id != mine.id
        and each.id not in apart
        and (each.customer_id, each.product_line) == (mine.customer_id, mine.product_line)
        and abs(each.received_at - mine.received_at) <= window
        and (score := alike(mine, each)) >= ALIKE
    ]
    return sorted(found, key=lambda it: (-it.alike, it.told.id))


def alike(one: Told, other: Told) -> int:
    """How much two requests say the same, 0 to 100."""
    from rapidfuzz import fuzz

    words = [" ".join(grams(f"{each.title}\n{each.text}"[:_READ])) for each in (one, other)]
    return round(fuzz.token_set_ratio(*words))
