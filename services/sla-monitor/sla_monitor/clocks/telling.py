"""The events about a clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.events import Payload
from shared.events.sla import (
    AlertAcknowledged,
    AlertAssigned,
    AlertEscalated,
    AlertSnoozed,
    ClockAmended,
    ClockBreached,
    ClockCancelled,
    ClockMet,
    ClockPaused,
    ClockResumed,
    ClockStarted,
    ClockWarned,
    LeadershipCalled,
    TicketUncovered,
)
from sla_monitor.clocks.rules import Outcome, Pause
from sla_monitor.clocks.rules.changes import Change, StoredClock, Telling
from sla_monitor.clocks.rules.history import Subject


def payload_of(what: Telling, change: Change, subject: Subject) -> Payload:
    """What to say of a change."""
    clock = change.clock
    known = _known(clock, subject)
    match what:
        case "started":
            return ClockStarted(**known, started_at=clock.started_at)
        case "met":
            assert clock.stopped_at is not None
            return ClockMet(**known, met_at=clock.stopped_at)
        case "cancelled":
            return ClockCancelled(**known, reason=clock.reason or "")
        case "paused":
            assert clock.pause is not None
            return _paused(known, clock.pause)
        case "resumed":
            return resumed(clock, subject)
        case "amended":
            return amended(clock, subject, change.previous)


def _paused(known: dict[str, Any], pause: Pause) -> ClockPaused:
    by = person(pause.by) if pause.by else None
    return ClockPaused(**known, reason=pause.reason, until=pause.ends, note=pause.note or "", by=by)


def resumed(clock: StoredClock, subject: Subject) -> ClockResumed:
    """That its time counts again."""
    return ClockResumed(**_known(clock, subject))


def amended(clock: StoredClock, subject: Subject, previous: Outcome) -> ClockAmended:
    """That what was told before is different, or certain, now."""
    known = _known(clock, subject)
    paused = clock.pause is not None
    return ClockAmended(**known, outcome=clock.outcome, previous_outcome=previous, paused=paused)


def warned(clock: StoredClock, subject: Subject) -> ClockWarned:
    """That so much of the time is gone."""
    return ClockWarned(**_known(clock, subject), threshold=clock.warned, owner_id=subject.owner_id)


def breached(clock: StoredClock, subject: Subject, now: datetime) -> ClockBreached:
    """That a promise was missed, and by what reckoning."""
    return ClockBreached(
        **_known(clock, subject),
        confirmed=bool(clock.confirmed),
        owner_id=subject.owner_id,
        explanation=_reckoning(clock, now),
    )


def acknowledged(
    clock: StoredClock, subject: Subject, alert_id: UUID, threshold: int, by: str
) -> AlertAcknowledged:
    """That somebody looks after an alert."""
    about = {"alert_id": alert_id, "threshold": threshold}
    return AlertAcknowledged(**_known(clock, subject), **about, by=person(by))


def snoozed(
    clock: StoredClock,
    subject: Subject,
    alert_id: UUID,
    threshold: int,
    until: datetime,
    reason: str,
    by: str,
) -> AlertSnoozed:
    """That nobody needs to look at an alert for a while."""
    about = {"alert_id": alert_id, "threshold": threshold}
    return AlertSnoozed(**_known(clock, subject), **about, until=until, reason=reason, by=person(by))


def assigned(
    clock: StoredClock, subject: Subject, alert_id: UUID, threshold: int, to: UUID, by: str
) -> AlertAssigned:
    """That a person is asked to look after an alert."""
    about = {"alert_id": alert_id, "threshold": threshold}
    return AlertAssigned(**_known(clock, subject), **about, to=to, by=person(by))


def escalated(
    clock: StoredClock, subject: Subject, alert_id: UUID, minutes: int, roles: Sequence[str]
) -> AlertEscalated:
    """That nobody has looked after a breach so far, and who was told next."""
    about: dict[str, Any] = {"alert_id": alert_id, "minutes": minutes, "roles": tuple(roles)}
    return AlertEscalated(**_known(clock, subject), **about)


def called(
    clock: StoredClock, subject: Subject, alert_id: UUID, threshold: int, leaders: Sequence[UUID], by: str
) -> LeadershipCalled:
    """That a person told the leadership group."""
    about: dict[str, Any] = {"alert_id": alert_id, "threshold": threshold, "leader_ids": tuple(leaders)}
    return LeadershipCalled(**_known(clock, subject), **about, by=person(by))


def person(id: str) -> UUID | None:
    """Who a principal is, if it is an employee, whose identifier is a PersonId."""
    try:
        return UUID(id)
    except ValueError:
        return None


def uncovered(id: UUID, subject: Subject, policy_version: int, revision: int) -> TicketUncovered:
    """That nothing is promised to a subject."""
    return TicketUncovered(
        about=id,
        about_kind=subject.kind,
        severity=subject.severity,
        region=subject.region,
        policy_version=policy_version,
        revision=revision,
    )


def _known(clock: StoredClock, subject: Subject) -> dict[str, Any]:
    return {
        "about": clock.subject_id,
        "about_kind": subject.kind,
        "promise": clock.promise,
        "severity": clock.severity,
        "region": subject.region,
        "deadline": clock.deadline,
        "revision": clock.revision,
    }


def _reckoning(clock: StoredClock, now: datetime) -> str:
    end = f"ended {_written(clock.stopped_at)}" if clock.stopped_at else f"not ended by {_written(now)}"
    began, due = _written(clock.started_at), _written(clock.deadline)
    return f"{clock.requirement}: began {began}, due {due}, {end}"


def _written(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%S}Z"
