"""The forms in which clocks are told over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from shared.events.terms import Severity
from sla_monitor.clocks.attainment import Attainment, Today
from sla_monitor.clocks.dossier import Dossier, Proof
from sla_monitor.clocks.rules import Interval, Outcome, Pause
from sla_monitor.clocks.rules.history import Happening, SubjectKind


class PauseShown(BaseModel):
    """Time that does not count; `ends` is null while nobody knows."""

    begins: datetime
    ends: datetime | None
    reason: str = Field(examples=["customers_wish"])

    @classmethod
    def of(cls, pause: Pause) -> PauseShown:
        return cls(begins=pause.begins, ends=pause.ends, reason=pause.reason)


class ClockShown(BaseModel):
    """One promise to one ticket, request or call."""

    id: UUID
    about: UUID
    about_kind: SubjectKind
    title: str | None
    region: str | None
    promise: str = Field(examples=["on_site"])
    occurrence: int
    requirement: str = Field(examples=["R54"])
    rule: str = Field(examples=["wall"])
    severity: Severity | None
    started_at: datetime
    deadline: datetime
    pause: PauseShown | None
    outcome: Outcome
    stopped_at: datetime | None
    confirmed: bool | None = Field(description="Of a breach: whether all that could disprove it is known.")
    revision: int
    version: int

    @classmethod
    def of(cls, row: Any) -> ClockShown:
        pause = Pause(row.paused_from, row.paused_until, row.pause_reason) if row.pause_reason else None
        return cls(
            about=row.subject_id,
            about_kind=row.kind,
            pause=PauseShown.of(pause) if pause else None,
            **_same(cls, row),
        )


def _same(model: type[BaseModel], row: object) -> dict[str, Any]:
    """The fields of `model` that `row` has under the same name."""
    return {name: getattr(row, name) for name in model.model_fields if hasattr(row, name)}


class IntervalShown(BaseModel):
    """A piece of a clock's time: counted or not, and why."""

    begins: datetime
    ends: datetime | None
    seconds: float | None
    counted: bool
    why: str = Field(examples=["wall_clock"])

    @classmethod
    def of(cls, piece: Interval) -> IntervalShown:
        seconds = (piece.ends - piece.begins).total_seconds() if piece.ends else None
        return cls(seconds=seconds, **_same(cls, piece))


class ProofShown(BaseModel):
    """A clock with the arithmetic of its deadline: `allowance` seconds are counted in `intervals`."""

    id: UUID | None
    promise: str
    occurrence: int
    requirement: str
    rule: str = Field(examples=["wall"])
    measure: str
    allowance: float = Field(description="Seconds.")
    severity: Severity | None
    started_at: datetime
    deadline: datetime
    standing: bool
    pauses: list[PauseShown]
    intervals: list[IntervalShown]
    outcome: Outcome
    stopped_at: datetime | None
    reason: str | None
    confirmed: bool | None
    revision: int

    @classmethod
    def of(cls, proof: Proof) -> ProofShown:
        clock, stored = proof.clock, proof.stored
        shown = _same(cls, clock) | {
            "allowance": clock.allowance.total_seconds(),
            "pauses": [PauseShown.of(each) for each in clock.pauses],
        }
        return cls(
            id=stored.id if stored else None,
            confirmed=stored.confirmed if stored else None,
            revision=stored.revision if stored else 0,
            intervals=[IntervalShown.of(each) for each in proof.intervals],
            **shown,
        )


class HappeningShown(BaseModel):
    """One event of the history that the clocks follow from."""

    id: UUID
    kind: str = Field(examples=["dispatch.ticket_assigned"])
    sequence: int
    at: datetime

    @classmethod
    def of(cls, event: Happening) -> HappeningShown:
        return cls(**_same(cls, event))


class DossierShown(BaseModel):
    """Everything promised about one subject, and how each deadline comes about."""

    about: UUID
    about_kind: SubjectKind
    title: str | None
    region: str | None
    severity: Severity | None
    policy_version: int
    calendar_version: int
    clocks: list[ProofShown]
    history: list[HappeningShown]

    @classmethod
    def of(cls, id: UUID, dossier: Dossier) -> DossierShown:
        return cls(
            about=id,
            about_kind=dossier.subject.kind,
            policy_version=dossier.policy_version,
            calendar_version=dossier.calendar_version,
            clocks=[ProofShown.of(each) for each in dossier.proofs],
            **_same(cls, dossier.subject),
            history=[HappeningShown.of(each) for each in dossier.history],
        )


class Figures(BaseModel):
    """How promises have been kept today; `attainment` is null before anything is decided."""

    met: int
    breached: int
    running: int
    attainment: float | None

    @classmethod
    def of(cls, found: Attainment) -> Figures:
        return cls(attainment=found.share, **_same(cls, found))


class AttainmentShown(BaseModel):
    """Today in the zone of the calendar: kept by their stop, missed by their deadline, running now."""

    day: date
    zone: str
    response: Figures
    promises: Mapping[str, Figures]

    @classmethod
    def of(cls, today: Today) -> AttainmentShown:
        return cls(
            day=today.day,
            zone=today.zone,
            response=Figures.of(today.response),
            promises={code: Figures.of(found) for code, found in today.promises.items()},
        )
