"""A seeded plan of faults over time, and the player that acts it out.

One plan breaks one thing at a time, so that what broke can be named; for faults that overlap, play two
plans side by side. The same seed makes the same plan, and a saved plan replays without its seed.
"""

import asyncio
import inspect
import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Self

from chaos.timeline import Timeline

Scalar = bool | int | float | str
Draw = Callable[[random.Random], Scalar]
Duration = Callable[[random.Random], float]  # seconds


def between(low: float, high: float) -> Duration:
    """A number from `low` to `high`, whole when both are."""
    if isinstance(low, int) and isinstance(high, int):
        return lambda chance: chance.randint(low, high)
    return lambda chance: chance.uniform(low, high)


def one_of(*options: Scalar) -> Draw:
    return lambda chance: chance.choice(options)


def exactly(value: float) -> Duration:
    return lambda _: value


AT_ONCE: Final = exactly(0.0)
CALM: Final = between(0.5, 3.0)
_SHORTEST: Final = 0.001  # no two faults at one instant


@dataclass(frozen=True)
class Fault:
    """Something that can go wrong: how often in proportion to the others, for how many seconds, with what."""

    name: str
    weight: float = 1.0
    hold: Duration = AT_ONCE
    arguments: Mapping[str, Draw] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One fault of a plan: `at` seconds after its start, held for `hold` seconds."""

    at: float
    fault: str
    hold: float
    arguments: Mapping[str, Scalar]


@dataclass(frozen=True)
class Plan:
    seed: int
    steps: tuple[Step, ...]

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        found = json.loads(path.read_text(encoding="utf-8"))
        return cls(found["seed"], tuple(Step(**step) for step in found["steps"]))


def draw_plan(seed: int, faults: Sequence[Fault], seconds: float, calm: Duration = CALM) -> Plan:
    """Draw faults one after the other, each after `calm` seconds without any, all over within `seconds`."""
    chance = random.Random(seed)
    steps: list[Step] = []
    at = calm(chance)
    while True:
        (fault,) = chance.choices(faults, [fault.weight for fault in faults])
        hold = fault.hold(chance)
        if at + hold > seconds:
            return Plan(seed, tuple(steps))
        arguments = {name: draw(chance) for name, draw in fault.arguments.items()}
        steps.append(Step(at, fault.name, hold, arguments))
        at += max(hold + calm(chance), _SHORTEST)


def deal_plan(seed: int, deck: Sequence[tuple[int, Fault]]) -> Plan:
    """Every fault exactly as often as its number says, in an order drawn from the seed.

    For proofs that promise how often a thing was broken. A fault's `hold` is all the calm after it.
    """
    chance = random.Random(seed)
    cards = [fault for times, fault in deck for _ in range(times)]
    chance.shuffle(cards)
    steps: list[Step] = []
    at = 0.0
    for fault in cards:
        arguments = {name: draw(chance) for name, draw in fault.arguments.items()}
        steps.append(Step(at, fault.name, fault.hold(chance), arguments))
        at += steps[-1].hold
    return Plan(seed, tuple(steps))


def _nothing() -> None:
    """What ends a fault that is over at once."""


@dataclass(frozen=True)
class Actor:
    """How a fault is begun, with its arguments, and ended; plain or async functions."""

    begin: Callable[..., Awaitable[object] | object]
    end: Callable[[], Awaitable[object] | object] = _nothing


class NoActor(Exception):
    """The plan names faults that nobody acts out; give each an Actor."""


async def play(plan: Plan, actors: Mapping[str, Actor], timeline: Timeline) -> None:
    """Act the plan out in real time. A fault that has begun is ended, also when this is cancelled."""
    if missing := {step.fault for step in plan.steps} - actors.keys():
        raise NoActor(*sorted(missing))
    loop = asyncio.get_running_loop()
    began = loop.time()
    for step in plan.steps:
        await asyncio.sleep(began + step.at - loop.time())
        actor = actors[step.fault]
        timeline.note("plan", step.fault, hold=step.hold, **step.arguments)
        try:
            await _settle(actor.begin(**step.arguments))
            await asyncio.sleep(step.hold)
        finally:
            await _settle(actor.end())
        timeline.note("plan", f"{step.fault} is over")


async def _settle(outcome: Awaitable[object] | object) -> None:
    if inspect.isawaitable(outcome):
        await outcome
