"""What is compared, and how: in turns, so that what the machine does meanwhile meets all sides alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.stage import Stage

ROUNDS: Final = 5
QUICK_ROUNDS: Final = 1


class NotMeasured(Exception):
    """What the figure compares with cannot be had here: better no number than one of something else."""


Numbers = Mapping[str, float]
"""What one run measured, by measure with its unit: `{"events/s": 9120.0}`."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the things compared; `run()` does the work once."""

    name: str
    run: Callable[[], Awaitable[Numbers]]


@dataclass(frozen=True, slots=True)
class Ratio:
    """What a side reaches of its floor, both taken from the same round.

    targets  what it has to reach, one after another; empty where it is only reported
    at_most  the targets are not to be exceeded: less is better
    """

    name: str
    measure: str
    side: str
    floor: str
    targets: tuple[float, ...] = ()
    at_most: bool = False

    def reached(self, value: float, target: float) -> bool:
        return value <= target if self.at_most else value >= target


@dataclass(frozen=True, slots=True)
class Limit:
    """What a side must not exceed, whatever its floor does; in the unit of the measure."""

    name: str
    measure: str
    side: str
    most: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One comparison; `sides(stage)` prepares it and holds what it needs while it is measured.

    rounds  how often; once is without a round to warm up
    """

    name: str
    claim: str
    sides: Callable[[Stage], AbstractAsyncContextManager[Sequence[Side]]]
    ratios: tuple[Ratio, ...]
    limits: tuple[Limit, ...] = ()
    rounds: int = ROUNDS


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of several rounds, and the worst and best of them."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure with what its sides did in each round."""

    figure: Figure
    rounds: Mapping[str, Sequence[Numbers]]

    def spread(self, side: str, measure: str) -> Spread:
        return Spread.of([numbers[measure] for numbers in self.rounds[side]])

    def ratio(self, ratio: Ratio) -> Spread:
        pairs = zip(self.rounds[ratio.side], self.rounds[ratio.floor], strict=True)
        return Spread.of([side[ratio.measure] / floor[ratio.measure] for side, floor in pairs])

    def measures(self) -> Iterator[tuple[str, str, Spread]]:
        """Every (side, measure) with its spread."""
        for side, rounds in self.rounds.items():
            for measure in rounds[0]:
                yield side, measure, self.spread(side, measure)


async def interleave(rounds: int, sides: Sequence[Side], warm_up: int = 1) -> dict[str, list[Numbers]]:
    """A B A B …, `rounds` times, after `warm_up` rounds that are not counted."""
    measured: dict[str, list[Numbers]] = {side.name: [] for side in sides}
    for number in range(-warm_up, rounds):
        for side in sides:
            numbers = await side.run()
            if number >= 0:
                measured[side.name].append(numbers)
    return measured


async def measure(figure: Figure, stage: Stage) -> Measured:
    """Prepare the figure, measure it, clear it away."""
    rounds = QUICK_ROUNDS if stage.quick else figure.rounds
    async with figure.sides(stage) as sides:
        return Measured(figure, await interleave(rounds, sides, warm_up=int(rounds > 1)))
