"""What would have been: histories folded by other rules, beside how they were judged.

The fold is the one that judges live tickets, so that the rules in force give the live result exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

from sla_monitor.calendars.rules import Calendar
from sla_monitor.clocks.rules import Clock, Happening, Outcome, describe, evaluate
from sla_monitor.clocks.rules.changes import WITHDRAWN, StoredClock
from sla_monitor.clocks.rules.history import Subject
from sla_monitor.policies.rules import Policy

Ruling: TypeAlias = Callable[[UUID, Subject], tuple[Policy, Calendar]]
"""Which policy and which calendar a subject obeys."""

Side = Literal["base", "tried"]
SIDES: Final[tuple[Side, Side]] = ("base", "tried")
UNKNOWN: Final = ""
"""A region or a team that nobody named."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A subject, what people call it, and all that is known to have happened to it."""

    id: UUID
    name: str
    happenings: Sequence[Happening]


@dataclass(frozen=True, slots=True)
class Judged:
    """A subject's clocks under one ruling.

    whole      kept when every response clock was, missed when any was missed (decision 7); None without one
    responses  the codes of the promises that count into it
    """

    clocks: tuple[Clock, ...]
    whole: Outcome | None
    responses: frozenset[str]


Why = Literal[
    "promised", "not_promised", "start", "severity", "measure", "allowance", "pauses", "calendar",
    "ending", "deadline", "outcome",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that differs; lengths are seconds, instants ISO 8601 in UTC, others codes."""

    why: Why
    before: str | float | None = None
    after: str | float | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """One promise that ends differently, and why: causes first, then what they led to."""

    promise: str
    occurrence: int
    before: Clock | None
    after: Clock | None
    reasons: tuple[Reason, ...]


Hours: TypeAlias = Mapping[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class Compared:
    """A subject under two rulings.

    breaches  of each side: local hour of day at which each missed promise was due, by promise and occurrence
    """

    id: UUID
    name: str
    region: str
    team: str
    channel: str
    base: Judged
    tried: Judged
    breaches: dict[Side, Hours]
    changes: tuple[Changed, ...]


class Trial:
    """Two rulings to compare histories under, as of `until`."""

    def __init__(self, base: Ruling, tried: Ruling, until: datetime) -> None:
        self._base = base
        self._tried = tried
        self._until = until
        self._splits: dict[tuple[int, int], _Split] = {}

    def compare(self, recorded: Recorded) -> Compared:
        """A history of at least one happening, under both."""
        subject = describe(recorded.happenings)
        policy, calendar = self._base(recorded.id, subject)
        other_policy, other_calendar = self._tried(recorded.id, subject)
        base = self._judge(policy, evaluate(policy, calendar, recorded.happenings, self._until))
        clocks = base.clocks
        if other_calendar is not calendar:
            clocks = evaluate(other_policy, other_calendar, recorded.happenings, self._until)
        elif other_policy is not policy:
            clocks = self._again(policy, other_policy, calendar, recorded, base)
        tried = self._judge(other_policy, clocks)
        return Compared(
            id=recorded.id,
            name=recorded.name,
            region=subject.region or UNKNOWN,
            team=subject.team or UNKNOWN,
            channel=subject.channel or UNKNOWN,
            base=base,
            tried=tried,
            breaches={"base": _hours(base, calendar), "tried": _hours(tried, other_calendar)},
            changes=() if clocks is base.clocks else tuple(differences(base.clocks, clocks)),
        )

    def _again(
        self, policy: Policy, other: Policy, calendar: Calendar, recorded: Recorded, base: Judged
    ) -> tuple[Clock, ...]:
        """Only what the policies promise differently is folded twice: promises know nothing of each other."""
        split = self._splits.get((id(policy), id(other)))
        if split is None:
            split = self._splits[id(policy), id(other)] = _split(policy, other)
        same = [each for each in base.clocks if each.promise in split.same]
        others = evaluate(split.others, calendar, recorded.happenings, self._until)
        return tuple(
            sorted([*same, *others], key=lambda each: (each.started_at, each.promise, each.occurrence))
        )

    @staticmethod
    def _judge(policy: Policy, clocks: tuple[Clock, ...]) -> Judged:
        responses = frozenset(each.code for each in policy.promises if each.is_response)
        outcomes = {each.outcome for each in clocks if each.promise in responses}
        for outcome in _DECISIVE:
            if outcome in outcomes:
                return Judged(clocks, outcome, responses)
        return Judged(clocks, None, responses)


_DECISIVE: Final[tuple[Outcome, ...]] = ("breached", "running", "met")


@dataclass(frozen=True, slots=True)
class _Split:
    """The promises two policies share, and the other one with only the rest; it holds both of them."""

    same: frozenset[str]
    others: Policy
    policies: tuple[Policy, Policy]


def _split(policy: Policy, other: Policy) -> _Split:
    same = frozenset(each.code for each in other.promises if each == policy.promise(each.code))
    rest = tuple(each for each in other.promises if each.code not in same)
    return _Split(same, other.model_copy(update={"promises": rest}), (policy, other))


def _hours(judged: Judged, calendar: Calendar) -> Hours:
    missed = (each for each in judged.clocks if each.outcome == "breached")
    return {(each.promise, each.occurrence): calendar.local(each.deadline).hour for each in missed}


def differences(before: Sequence[Clock], after: Sequence[Clock]) -> Iterator[Changed]:
    """Every clock that is only on one side, or is due, ends or is judged otherwise."""
    olds = {(each.promise, each.occurrence): each for each in before}
    news = {(each.promise, each.occurrence): each for each in after}
    for promise, occurrence in sorted(olds.keys() | news.keys()):
        old, new = olds.get((promise, occurrence)), news.get((promise, occurrence))
        reasons = tuple(_reasons(old, new))
        if reasons:
            yield Changed(promise, occurrence, old, new, reasons)


def _reasons(old: Clock | None, new: Clock | None) -> Iterator[Reason]:
    if old is None or new is None:
        if new is not None:
            yield Reason("promised", None, new.requirement)
        if old is not None:
            yield Reason("not_promised", old.requirement, None)
        yield Reason("outcome", old.outcome if old else None, new.outcome if new else None)
        return
    moved = (old.deadline, old.standing) != (new.deadline, new.standing)
    ended = (old.stopped_at, old.reason) != (new.stopped_at, new.reason)
    if not moved and not ended and old.outcome == new.outcome:
        return
    causes = tuple(_causes(old, new))
    yield from causes
    if moved and not causes:
        yield Reason("calendar")  # the same time by the same measure from the same start
    if ended:
        yield Reason("ending", old.reason, new.reason)
    if old.deadline != new.deadline:
        yield Reason("deadline", old.deadline.isoformat(), new.deadline.isoformat())
    if old.outcome != new.outcome:
        yield Reason("outcome", old.outcome, new.outcome)


def _causes(old: Clock, new: Clock) -> Iterator[Reason]:
    if old.started_at != new.started_at:
        yield Reason("start", old.started_at.isoformat(), new.started_at.isoformat())
    if old.severity != new.severity:
        yield Reason("severity", old.severity, new.severity)
    if old.measure != new.measure:
        yield Reason("measure", old.measure, new.measure)
    if old.allowance != new.allowance:
        yield Reason("allowance", old.allowance.total_seconds(), new.allowance.total_seconds())
    if old.pauses != new.pauses:
        yield Reason("pauses", _paused(old), _paused(new))


def _paused(clock: Clock) -> float | None:
    """Seconds, those of two pauses at once counted once; None while it stands."""
    total, until = 0.0, clock.started_at
    for pause in sorted(clock.pauses, key=lambda each: each.begins):
        if pause.ends is None:
            return None
        begins = max(pause.begins, until)
        if pause.ends > begins:
            total += (pause.ends - begins).total_seconds()
            until = pause.ends
    return total


_COMPARED: Final = (
    "requirement", "rule", "measure", "allowance", "severity", "started_at", "deadline", "standing",
    "stopped_at", "reason",
)  # fmt: skip


def unreproduced(stored: Sequence[StoredClock], folded: Sequence[Clock]) -> list[tuple[str, int]]:
    """The clocks, by promise and occurrence, that the fold does not give as they are stored."""
    known = {(each.promise, each.occurrence): each for each in stored}
    again = {(each.promise, each.occurrence): each for each in folded}
    return [key for key in sorted(known.keys() | again.keys()) if not _same(known.get(key), again.get(key))]


def _same(stored: StoredClock | None, folded: Clock | None) -> bool:
    if stored is None or folded is None:
        return stored is not None and stored.reason == WITHDRAWN
    if any(getattr(stored, name) != getattr(folded, name) for name in _COMPARED):
        return False
    # Until its timer is judged, a clock that nothing has ended still runs.
    awaits_timer = stored.outcome == "running" and folded.outcome == "breached"
    return stored.outcome == folded.outcome or (awaits_timer and folded.stopped_at is None)
