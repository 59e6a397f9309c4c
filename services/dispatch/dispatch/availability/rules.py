"""Leave and duty: what may be entered, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final, Literal
from uuid import UUID

from shared.errors import AftercareError
from shared.events.terms import PersonId
from shared.i18n import N_

Kind = Literal["leave", "sick", "training", "other"]
State = Literal["asked", "approved", "refused", "ended"]
Part = Literal["duty_lead", "engineer"]
LONGEST: Final = timedelta(days=366)


class NoSuchAbsence(AftercareError):
    """There is no such leave, or it is not yours to see."""

    kind = "not_found"


class NoSuchDuty(AftercareError):
    """There is no such duty."""

    kind = "not_found"


class AbsenceDecided(AftercareError):
    """This leave is {state} already."""

    kind = "conflict"
    shown: ClassVar = ("state",)


class DutyOverlaps(AftercareError):
    """Somebody else is duty lead of this region in a part of that time."""

    kind = "conflict"


class NotYours(AftercareError):
    """Ask for your own leave; dispatchers and operations enter that of others."""

    kind = "forbidden"


@dataclass(frozen=True, slots=True)
class Absence:
    """Leave of somebody; it counts while it is approved, until it is over or ended before.

    asked_by, decided_by  principals
    handed_over_at        when what they had was given to others; None while nothing was
    """

    id: UUID
    person_id: PersonId
    kind: Kind
    starts_at: datetime
    ends_at: datetime
    state: State
    asked_by: str
    decided_by: str | None
    handed_over_at: datetime | None


@dataclass(frozen=True, slots=True)
class Duty:
    """Somebody on call in a region."""

    id: UUID
    region: str
    part: Part
    person_id: PersonId
    starts_at: datetime
    ends_at: datetime
    entered_by: str


def fault_of_time(starts_at: datetime, ends_at: datetime, now: datetime) -> tuple[str, str] | None:
    """The wrong field and what is wrong with it; None when the time may be entered."""
    if ends_at <= now:
        return "ends_at", N_("it is over already")
    if not starts_at < ends_at <= starts_at + LONGEST:
        return "ends_at", N_("it ends after it begins, within a year")
    return None


def has_begun(absence: Absence, now: datetime) -> bool:
    """Whether somebody is away by it at `now`."""
    return absence.state == "approved" and absence.starts_at <= now < absence.ends_at
