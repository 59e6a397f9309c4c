"""What a due timer means for its clock."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from sla_monitor.clocks.rules.changes import BREACH, CONFIRM, RESUME, StoredClock

What = Literal["resumed", "warned", "breached", "confirmed"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The clock as it is from now on, and what is to be told; the version counts what is told."""

    what: What
    clock: StoredClock


def judge(clock: StoredClock, due: Collection[int], heard: bool, now: datetime) -> tuple[Verdict, ...]:
    """The verdicts on a clock whose timers with the thresholds `due` have run out.

    `heard` says that everything which could have stopped it in time would be known by now. A warning that
    comes after the deadline is left to the breach.
    """
    verdicts: list[Verdict] = []
    if RESUME in due and clock.pause is not None:
        verdicts.append(_next(clock, "resumed", pause=None))
        clock = verdicts[-1].clock
    if BREACH in due and clock.outcome in ("running", "breached") and clock.alerted_at is None:
        confirmed = heard or clock.stopped_at is not None
        verdicts.append(
            _next(clock, "breached", outcome="breached", pause=None, alerted_at=now, confirmed=confirmed)
        )
    elif CONFIRM in due and heard and clock.confirmed is False:
        verdicts.append(_next(clock, "confirmed", confirmed=True))
    elif clock.outcome == "running" and now < clock.deadline:
        warnings = [share for share in due if clock.warned < share < BREACH]
        if warnings:
            verdicts.append(_next(clock, "warned", warned=max(warnings)))
    return tuple(verdicts)


def _next(clock: StoredClock, what: What, **changes: object) -> Verdict:
    return Verdict(what, replace(clock, version=clock.version + 1, **changes))  # type: ignore[arg-type]
