"""What a due timer means for its clock, and what may be done to an alert."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias
from uuid import UUID

from sla_monitor.clocks.rules.changes import BREACH, CONFIRM, RESUME, StoredClock

What = Literal["resumed", "warned", "breached", "confirmed"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The clock as it is from now on, and what is to be told; the version counts what is told."""

    what: What
    clock: StoredClock


def judge(clock: StoredClock, due: Collection[int], heard: bool, now: datetime) -> tuple[Verdict, ...]:
    """The verdicts on a clock whose timers with the thresholds `due` have run out.

    `heard` says that everything which could have stopped or paused it in time would be known by now. A
    warning that comes after the deadline is left to the breach.
    """
    verdicts: list[Verdict] = []
    if RESUME in due and clock.pause is not None:
        verdicts.append(_next(clock, "resumed", pause=None))
        clock = verdicts[-1].clock
    if BREACH in due and clock.outcome in ("running", "breached") and clock.alerted_at is None:
        # An end that came late confirms nothing: a pause before it may still be on its way.
        verdicts.append(
            _next(clock, "breached", outcome="breached", pause=None, alerted_at=now, confirmed=heard)
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


BY_HAND: Final = 0
"""The threshold of an alert that a person raised, before any share of the time that the policy names."""

LONGEST_SNOOZE: Final = timedelta(hours=24)  # whoever wants longer looks again tomorrow, and gives a reason


@dataclass(frozen=True, slots=True)
class Alert:
    """A row of the alert table, and whether an amendment has taken it back."""

    id: UUID
    clock_id: UUID
    threshold: int
    revision: int
    retracted: bool
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    assigned_to: UUID | None
    snoozed_until: datetime | None
    snooze_reason: str | None
    version: int


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Somebody looks after it: nobody else is told any more."""


@dataclass(frozen=True, slots=True)
class Snooze:
    """Nobody needs to look before an instant, for a reason; then it is back by itself."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Assign:
    """A person is asked to look after it; until they say so, the ladder goes on."""

    to: UUID


Deed: TypeAlias = Acknowledge | Snooze | Assign
Refusal = Literal["unknown", "changed", "retracted", "already_acknowledged"]


def refuse(alert: Alert, deed: Deed, seen: int) -> Refusal | None:
    """Why `deed` cannot be done to an alert of which version `seen` was looked at."""
    if alert.retracted:
        return "retracted"
    if alert.acknowledged_at is not None and not isinstance(deed, Assign):
        return "already_acknowledged"
    return "changed" if alert.version != seen else None


def do(alert: Alert, deed: Deed, by: str, now: datetime) -> Alert:
    """The alert afterwards."""
    match deed:
        case Acknowledge():
            changed = replace(
                alert, acknowledged_by=by, acknowledged_at=now, snoozed_until=None, snooze_reason=None
            )
        case Snooze(until=until, reason=reason):
            changed = replace(alert, snoozed_until=until, snooze_reason=reason)
        case Assign(to=to):
            changed = replace(alert, assigned_to=to)
    return replace(changed, version=alert.version + 1)


def wake(alert: Alert) -> Alert:
    """The alert when its snooze is over."""
    return replace(alert, snoozed_until=None, snooze_reason=None, version=alert.version + 1)


def delay(alert: Alert, until: datetime, now: datetime) -> timedelta:
    """How much later the steps of its ladder come, now that it is snoozed until `until`."""
    return until - max(now, alert.snoozed_until or now)
