"""A stored clock and the clock folded anew: what is stored now, what is told, and which timers are armed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from sla_monitor.clocks.rules.fold import Clock, Outcome
from sla_monitor.clocks.rules.timeline import Pause
from sla_monitor.policies.rules import Measure

# Thresholds of timers beside the percentages of warnings.
RESUME: Final = 0  # a pause ends at an instant known before
BREACH: Final = 100
CONFIRM: Final = 101  # the breach was told before everything had been heard

Telling = Literal["started", "met", "cancelled", "paused", "resumed", "amended"]
WITHDRAWN: Final = "withdrawn"


@dataclass(frozen=True, slots=True)
class StoredClock:
    """A row of the clock table.

    pause      the current one
    warned     the highest warning sent at this revision
    alerted_at when its breach was told at this revision
    confirmed  None while no breach was told; False while a late message might still disprove it
    revision   rises when an amendment retracts an alert that was sent
    version    rises with every event about it
    called     whether leadership was told of it by hand
    """

    id: UUID
    subject_id: UUID
    promise: str
    occurrence: int
    requirement: str
    rule: str
    measure: Measure
    allowance: timedelta
    severity: str | None
    started_at: datetime
    deadline: datetime
    standing: bool
    pause: Pause | None
    outcome: Outcome
    stopped_at: datetime | None
    reason: str | None
    warned: int
    alerted_at: datetime | None
    confirmed: bool | None
    policy_version: int
    calendar_version: int
    revision: int
    version: int
    called: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """One event to emit: what, and as which version of the clock."""

    what: Telling
    version: int


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one clock.

    clock     the new row, equal to the stored one when nothing changed
    previous  the outcome before
    retracts  whether an alert that was sent was wrong
    """

    clock: StoredClock
    told: tuple[Told, ...]
    previous: Outcome
    retracts: bool


def begin(id: UUID, subject_id: UUID, folded: Clock, versions: tuple[int, int], now: datetime) -> Change:
    """A clock seen for the first time, at whatever state it is in by now."""
    row = StoredClock(
        id=id,
        subject_id=subject_id,
        promise=folded.promise,
        occurrence=folded.occurrence,
        requirement=folded.requirement,
        rule=folded.rule,
        measure=folded.measure,
        allowance=folded.allowance,
        severity=folded.severity,
        started_at=folded.started_at,
        deadline=folded.deadline,
        standing=folded.standing,
        pause=_current(folded, now),
        outcome=folded.outcome,
        stopped_at=folded.stopped_at,
        reason=folded.reason,
        warned=0,
        alerted_at=None,
        confirmed=None,
        policy_version=versions[0],
        calendar_version=versions[1],
        revision=0,
        version=0,
    )
    told: list[Telling] = ["started"]
    match row.outcome:
        case "met" | "cancelled":
            told.append(row.outcome)
        case "running" if row.pause:
            told.append("paused")
    return _told(row, told, previous="running", retracts=False)


def amend(stored: StoredClock, folded: Clock | None, versions: tuple[int, int], now: datetime) -> Change:
    """A clock known before; `folded` is None when its beginning turns out never to have been."""
    fresh = _withdraw(stored, now) if folded is None else _update(stored, folded, versions, now)
    if fresh == stored:
        return Change(stored, (), stored.outcome, retracts=False)
    retracts = stored.alerted_at is not None and fresh.outcome != "breached"
    if retracts:
        fresh = replace(fresh, revision=stored.revision + 1, warned=0, alerted_at=None, confirmed=None)
    elif stored.confirmed and fresh.deadline > stored.deadline:
        fresh = replace(fresh, confirmed=False)  # what was heard reached to the deadline before
    return _told(fresh, _tellings(stored, fresh), previous=stored.outcome, retracts=retracts)


def _withdraw(stored: StoredClock, now: datetime) -> StoredClock:
    if stored.reason == WITHDRAWN:
        return stored
    return replace(stored, outcome="cancelled", stopped_at=now, reason=WITHDRAWN, pause=None, standing=False)


def _update(stored: StoredClock, folded: Clock, versions: tuple[int, int], now: datetime) -> StoredClock:
    return replace(
        stored,
        requirement=folded.requirement,
        rule=folded.rule,
        measure=folded.measure,
        allowance=folded.allowance,
        severity=folded.severity,
        started_at=folded.started_at,
        deadline=folded.deadline,
        standing=folded.standing,
        pause=_current(folded, now),
        outcome=_settled(stored, folded, now),
        stopped_at=folded.stopped_at,
        reason=folded.reason,
        policy_version=versions[0],
        calendar_version=versions[1],
    )


def _settled(stored: StoredClock, folded: Clock, now: datetime) -> Outcome:
    """A breach that was judged stays one until there is time again or an end in time comes to light."""
    judged = stored.outcome == "breached" and stored.alerted_at is not None
    over = folded.deadline <= stored.deadline or folded.deadline < now
    if judged and over and folded.outcome == "running" and not folded.standing:
        return "breached"
    return folded.outcome


def _current(folded: Clock, now: datetime) -> Pause | None:
    if folded.outcome != "running":
        return None
    lasting = [each for each in folded.pauses if each.ends is None or each.ends > now]
    return max(lasting, key=_lasts, default=None)


def _lasts(pause: Pause) -> tuple[bool, float, bool, datetime]:
    """Of several at once the one that lasts longest: when it ends, the clock counts again.

    Among those without an end the one that a person may end.
    """
    ends = pause.ends.timestamp() if pause.ends else 0.0
    return pause.ends is None, ends, pause.by is not None, pause.begins


def _tellings(before: StoredClock, after: StoredClock) -> list[Telling]:
    if before.outcome == after.outcome == "running":
        return _while_running(before, after)
    if before.outcome == after.outcome:
        was_told = before.alerted_at is not None
        differs = (before.confirmed, before.deadline) != (after.confirmed, after.deadline)
        return ["amended"] if was_told and differs else []
    # A breach is told by its timer, which alone may alert; one that was not told yet needs no taking back.
    if before.outcome == "running" or (before.outcome == "breached" and before.alerted_at is None):
        return [after.outcome] if after.outcome in ("met", "cancelled") else []
    return ["amended"]


def _while_running(before: StoredClock, after: StoredClock) -> list[Telling]:
    if after.pause is not None:
        return ["paused"] if after.pause != before.pause else []
    if before.pause is not None:
        return ["resumed"]
    return ["amended"] if before.deadline != after.deadline else []


def _told(row: StoredClock, tellings: list[Telling], *, previous: Outcome, retracts: bool) -> Change:
    told = tuple(Told(what, row.version + number) for number, what in enumerate(tellings, start=1))
    return Change(replace(row, version=row.version + max(1, len(told))), told, previous, retracts)


@dataclass(frozen=True, slots=True)
class Timer:
    """An instant at which a clock is looked at, for one threshold."""

    threshold: int
    due_at: datetime


def timers(clock: StoredClock, warnings: tuple[tuple[int, datetime], ...]) -> tuple[Timer, ...]:
    """What is to be looked at and when."""
    armed: list[Timer] = []
    if clock.outcome == "breached":
        if clock.alerted_at is None:
            armed.append(Timer(BREACH, clock.deadline))
        elif clock.confirmed is False:
            armed.append(Timer(CONFIRM, clock.deadline))
    elif clock.outcome == "running":
        armed += [Timer(share, due_at) for share, due_at in warnings if share > clock.warned]
        if clock.pause is not None and clock.pause.ends is not None:
            armed.append(Timer(RESUME, clock.pause.ends))
        if not clock.standing:
            armed.append(Timer(BREACH, clock.deadline))
    return tuple(armed)
