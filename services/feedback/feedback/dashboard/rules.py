"""How satisfied customers are, as one number and as it may be shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

PERIOD: Final = timedelta(days=90)
"""Surveys sent within it are counted."""

FEWEST: Final = 3
"""Answers it takes before a mean or a share is shown: of fewer it tells of one customer, not of us."""

SATISFIED: Final = (4, 5)


@dataclass(frozen=True, slots=True)
class Satisfaction:
    """What came of the surveys sent to one region's customers, or to all.

    CSAT (R112) is the share of answered surveys whose score is 4 or 5, and the mean is over the same
    answers: one per survey, the newest beyond suspicion. Who did not answer counts in neither.

    counts   how many gave 1, 2, 3, 4 and 5
    """

    sent: int
    counts: tuple[int, int, int, int, int]

    @property
    def answered(self) -> int:
        return sum(self.counts)

    @property
    def csat(self) -> float | None:
        """Between 0 and 1; None of fewer than `FEWEST` answers."""
        return self._per_answer(sum(self.counts[score - 1] for score in SATISFIED))

    @property
    def mean(self) -> float | None:
        """Between 1 and 5; None of fewer than `FEWEST` answers."""
        return self._per_answer(sum(score * count for score, count in enumerate(self.counts, start=1)))

    def _per_answer(self, total: int) -> float | None:
        return total / self.answered if self.answered >= FEWEST else None


def together(parts: Iterable[Satisfaction]) -> Satisfaction:
    """Of all of them: the answers are added up, never the means."""
    sent, counts = 0, [0, 0, 0, 0, 0]
    for part in parts:
        sent += part.sent
        counts = [mine + theirs for mine, theirs in zip(counts, part.counts, strict=True)]
    one, two, three, four, five = counts
    return Satisfaction(sent, (one, two, three, four, five))
