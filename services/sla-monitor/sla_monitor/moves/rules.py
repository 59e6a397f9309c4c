"""What would change for a subject under another policy version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sla_monitor.clocks.rules import Clock


@dataclass(frozen=True, slots=True)
class Difference:
    """One clock under two versions; None where one of them has no such clock."""

    promise: str
    occurrence: int
    before: Clock | None
    after: Clock | None

    @property
    def flips(self) -> bool:
        """Whether what was decided is decided otherwise."""
        was = self.before.outcome if self.before else None
        return was not in (None, "running") and was != (self.after.outcome if self.after else "cancelled")


def differences(before: Sequence[Clock], after: Sequence[Clock]) -> tuple[Difference, ...]:
    """Each clock that is due at another instant, decided otherwise, new, or gone."""
    old = {(each.promise, each.occurrence): each for each in before}
    new = {(each.promise, each.occurrence): each for each in after}
    return tuple(
        Difference(*key, old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if _shown(old.get(key)) != _shown(new.get(key))
    )


def _shown(clock: Clock | None) -> object:
    return clock and (clock.deadline, clock.standing, clock.outcome, clock.stopped_at, clock.requirement)
