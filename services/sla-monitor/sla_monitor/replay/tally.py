"""The figures of a replay: they add up over steps, and travel as JSON in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sla_monitor.replay.rules import SIDES, Compared, Side

_PARTS: Final = ("promises", "subjects", "hours", "teams", "regions", "flips")
_NUMBERS: Final = ("replayed", "changed", "checked", "unreproduced")


@dataclass(frozen=True, slots=True)
class Attainment:
    """Kept, missed, and not decided by the end; `share` is kept of decided, None of nothing."""

    met: int
    breached: int
    running: int

    @property
    def share(self) -> float | None:
        decided = self.met + self.breached
        return self.met / decided if decided else None

    def document(self) -> dict[str, Any]:
        return {"met": self.met, "breached": self.breached, "running": self.running, "share": self.share}


@dataclass(slots=True)
class Tally:
    """What was counted so far.

    promises      (side, promise, outcome)
    subjects      (side, outcome): by all their response clocks together (R110, decision 7)
    hours         (side, promise, hour of day): missed promises by when they were due
    teams         (side, team, hour of day)
    regions       (side, region, hour of day)
    flips         (promise, outcome before, outcome after); "none" where nothing was promised
    replayed      subjects
    changed       subjects of which any promise changed
    checked       stored clocks that were compared with the fold; live histories only
    unreproduced  those of them that the fold gave otherwise
    """

    promises: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    subjects: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    hours: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    teams: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    regions: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    flips: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    replayed: int = 0
    changed: int = 0
    checked: int = 0
    unreproduced: int = 0

    def add(self, compared: Compared) -> None:
        self.replayed += 1
        self.changed += bool(compared.changes)
        for side, judged in zip(SIDES, (compared.base, compared.tried), strict=True):
            self.promises.update((side, each.promise, each.outcome) for each in judged.clocks)
            if judged.whole:
                self.subjects[side, judged.whole] += 1
            for (promise, _), hour in compared.breaches[side].items():
                self.hours[side, promise, hour] += 1
                self.teams[side, compared.team, hour] += 1
                self.regions[side, compared.region, hour] += 1
        for each in compared.changes:
            before = each.before.outcome if each.before else "none"
            after = each.after.outcome if each.after else "none"
            self.flips[each.promise, before, after] += before != after

    def merge(self, other: Tally) -> None:
        """Add what another part of the same replay counted."""
        for part in _PARTS:
            getattr(self, part).update(getattr(other, part))
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def whole(self, side: Side) -> Attainment:
        """Per subject: all of its response clocks."""
        return Attainment(*(self.subjects[side, outcome] for outcome in ("met", "breached", "running")))

    def of(self, side: Side, promise: str) -> Attainment:
        """Per clock of one promise."""
        return Attainment(
            *(self.promises[side, promise, outcome] for outcome in ("met", "breached", "running"))
        )

    @property
    def codes(self) -> list[str]:
        """The promises that either side made."""
        return sorted({promise for _, promise, _ in self.promises})

    def plain(self) -> dict[str, Any]:
        """As JSON has it, to be read by `Tally.read`."""
        counted = {part: [[*key, n] for key, n in getattr(self, part).items() if n] for part in _PARTS}
        return counted | {name: getattr(self, name) for name in _NUMBERS}

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Tally:
        """From what `plain` gave."""
        # What was counted before a part was known lacks it.
        known: dict[str, Any] = {
            part: Counter({tuple(key): n for *key, n in plain.get(part, ())}) for part in _PARTS
        }
        return cls(**known, **{name: plain[name] for name in _NUMBERS})


@dataclass(frozen=True, slots=True)
class HeatRow:
    """Missed promises of one team, region or promise, by the hour of day at which they were due."""

    name: str
    hours: tuple[int, ...]
    base: int
    tried: int


def heat(counted: Counter[tuple[Any, ...]]) -> list[HeatRow]:
    """The most missed first; `hours` are those of the ruling that was tried."""
    names = {name for _, name, _ in counted}
    rows = [
        HeatRow(
            name,
            tuple(counted["tried", name, hour] for hour in range(24)),
            sum(counted["base", name, hour] for hour in range(24)),
            sum(counted["tried", name, hour] for hour in range(24)),
        )
        for name in names
    ]
    return sorted(rows, key=lambda row: (-row.tried, -row.base, row.name))


def total(comparisons: Iterable[Compared]) -> Tally:
    """The figures of many subjects."""
    tally = Tally()
    for each in comparisons:
        tally.add(each)
    return tally
