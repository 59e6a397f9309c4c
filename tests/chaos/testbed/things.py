"""What is made, drawn from a seed without end, and so what must come out of it."""

import json
import random
from collections import Counter
from dataclasses import dataclass
from typing import Final

SUBJECTS: Final = 500
LARGEST_AMOUNT: Final = 1000


@dataclass(frozen=True)
class Thing:
    """One thing to be made once, whatever happens on the way."""

    subject: str
    sequence: int
    amount: int

    @property
    def key(self) -> str:
        return f"{self.subject}/{self.sequence}"

    @property
    def body(self) -> bytes:
        return json.dumps(
            {"subject": self.subject, "sequence": self.sequence, "amount": self.amount}
        ).encode()


class Things:
    """Deals out things and remembers their sums: the oracle, independent of every table."""

    def __init__(self, seed: int) -> None:
        self.amounts: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self._chance = random.Random(f"{seed}/things")

    @property
    def drawn(self) -> int:
        return self.counts.total()

    def draw(self) -> Thing:
        subject = f"subject-{self._chance.randrange(SUBJECTS):03}"
        self.counts[subject] += 1
        thing = Thing(subject, self.counts[subject], self._chance.randint(1, LARGEST_AMOUNT))
        self.amounts[subject] += thing.amount
        return thing

    def draw_shuffled(self, count: int) -> list[Thing]:
        """So that within a subject later versions come first as often as not."""
        drawn = [self.draw() for _ in range(count)]
        self._chance.shuffle(drawn)
        return drawn
