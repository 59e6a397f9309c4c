"""The forms in which clocks are told over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from shared.events.terms import Severity
from shared.sent import Sent
from sla_monitor.clocks.attainment import Attainment, Today
from sla_monitor.clocks.dossier import Difference, Dossier, Heard, Line, Proof, Withdrawn
from sla_monitor.clocks.evidence import Raised, Said
from sla_monitor.clocks.pausing import Wish
from sla_monitor.clocks.rules import Interval, Outcome, Pause
from sla_monitor.clocks.rules.hand import Reason
from sla_monitor.clocks.rules.history import SubjectKind
from sla_monitor.clocks.store import pause_of


class PauseShown(BaseModel):
    """Time that does not count; `ends` is null while nobody knows."""

    begins: datetime
    ends: datetime | None
    reason: str = Field(examples=["customers_wish"])
    by: str | None = Field(description="Who paused it by hand; null where an event did.")
    note: str | None

    @classmethod
    def of(cls, pause: Pause) -> PauseShown:
        return cls(**_same(cls, pause))


class Pausing(Sent):
    """Why a promise is to stand, and until when if that is known."""

    reason: Reason
    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)] = Field(
        description="What the dossier says beside the reason; without names and numbers: it travels."
    )
    until: AwareDatetime | None = None
    whole: bool = Field(default=False, description="All promises of the ticket that may be paused by hand.")

    @property
    def wish(self) -> Wish:
        return Wish(self.reason, self.note, self.until, self.whole)


class Resuming(Sent):
    """Which promises count again."""

    whole: bool = Field(default=False, description="All promises of the ticket that somebody paused by hand.")


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
        pause = pause_of(row)
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
    by: str | None = Field(description="Of a pause by hand: who said so.")
    note: str | None

    @classmethod
    def of(cls, piece: Interval) -> IntervalShown:
        seconds = (piece.ends - piece.begins).total_seconds() if piece.ends else None
        return cls(seconds=seconds, **_same(cls, piece))


class LineShown(IntervalShown):
    """One line of the arithmetic: a piece of time, and how much has been counted by its end."""

    sum: float = Field(description="Seconds.")

    @classmethod
    def at(cls, line: Line) -> LineShown:
        return cls(sum=line.sum.total_seconds(), **IntervalShown.of(line.piece).model_dump())


class SaidShown(BaseModel):
    """An event that was told about a clock, when, and all that it said."""

    what: str = Field(examples=["clock_breached"])
    at: datetime
    revision: int
    data: Mapping[str, Any]

    @classmethod
    def of(cls, said: Said) -> SaidShown:
        return cls(**_same(cls, said))


class DifferenceShown(BaseModel):
    """A value that is stored otherwise than it follows from the history."""

    name: str = Field(examples=["deadline"])
    stored: datetime | float | bool | str | None
    folded: datetime | float | bool | str | None

    @classmethod
    def of(cls, found: Difference) -> DifferenceShown:
        return cls(name=found.name, stored=_plain(found.stored), folded=_plain(found.folded))


def _plain(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else value


class RaisedShown(BaseModel):
    """An alert about a clock: at how many percent of its time, and who looks after it."""

    id: UUID
    threshold: int
    revision: int
    raised_at: datetime
    acknowledged_by: str | None
    acknowledged_at: datetime | None

    @classmethod
    def of(cls, raised: Raised) -> RaisedShown:
        return cls(**_same(cls, raised))


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
    intervals: list[LineShown]
    outcome: Outcome
    stopped_at: datetime | None
    reason: str | None
    confirmed: bool | None
    revision: int
    differences: list[DifferenceShown] = Field(description="Empty when what is stored follows from history.")
    said: list[SaidShown]
    alerts: list[RaisedShown]

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
            intervals=[LineShown.at(each) for each in proof.lines],
            differences=[DifferenceShown.of(each) for each in proof.differences],
            said=[SaidShown.of(each) for each in proof.said],
            alerts=[RaisedShown.of(each) for each in proof.raised],
            **shown,
        )


class WithdrawnShown(BaseModel):
    """A clock that was told of and does not follow from the history as it is known now."""

    id: UUID
    promise: str
    occurrence: int
    started_at: datetime
    deadline: datetime
    outcome: Outcome
    differences: list[DifferenceShown]
    said: list[SaidShown]
    alerts: list[RaisedShown]

    @classmethod
    def of(cls, withdrawn: Withdrawn) -> WithdrawnShown:
        return cls(
            differences=[DifferenceShown.of(each) for each in withdrawn.differences],
            said=[SaidShown.of(each) for each in withdrawn.said],
            alerts=[RaisedShown.of(each) for each in withdrawn.raised],
            **_same(cls, withdrawn.stored),
        )


class HappeningShown(BaseModel):
    """One event of the history that the clocks follow from; `late_by` where it was told long afterwards."""

    id: UUID
    kind: str = Field(examples=["dispatch.ticket_assigned"])
    sequence: int
    at: datetime
    received_at: datetime | None
    late_by: float | None = Field(description="Seconds.")

    @classmethod
    def of(cls, heard: Heard) -> HappeningShown:
        late_by = heard.late_by.total_seconds() if heard.late_by else None
        return cls(received_at=heard.received_at, late_by=late_by, **_same(cls, heard.event))


class DossierShown(BaseModel):
    """Everything promised about one subject, and how each deadline comes about."""

    about: UUID
    about_kind: SubjectKind
    title: str | None
    region: str | None
    team: str | None
    channel: str | None
    severity: Severity | None
    policy_version: int
    calendar: str
    calendar_version: int
    zone: str
    folded_at: datetime
    agrees: bool = Field(description="Whether all that is stored follows from the history, to the instant.")
    clocks: list[ProofShown]
    withdrawn: list[WithdrawnShown]
    history: list[HappeningShown]

    @classmethod
    def of(cls, id: UUID, dossier: Dossier) -> DossierShown:
        governing = dossier.governing
        return cls(
            about=id,
            about_kind=dossier.subject.kind,
            policy_version=governing.versions[0],
            calendar=governing.calendar_name,
            calendar_version=governing.versions[1],
            zone=governing.calendar.zone,
            folded_at=dossier.folded_at,
            agrees=dossier.agrees,
            clocks=[ProofShown.of(each) for each in dossier.proofs],
            withdrawn=[WithdrawnShown.of(each) for each in dossier.withdrawn],
            **_same(cls, dossier.subject),
            history=[HappeningShown.of(each) for each in dossier.history],
        )


class Figures(BaseModel):
    """How promises have been kept today; `attainment` is null before anything is decided."""

    met: int
    breached: int
    running: int = Field(description="Still to be decided before the day ends; not counted beyond 10 000.")
    attainment: float | None

    @classmethod
    def of(cls, found: Attainment) -> Figures:
        return cls(attainment=found.share, **_same(cls, found))


class AttainmentShown(BaseModel):
    """Today in the zone of the calendar: kept by their stop, missed by their deadline, or yet to come."""

    day: date
    zone: str
    response: Figures
    tickets: Figures | None = Field(
        default=None, description="Whole matters, a ticket with its request: kept when all their clocks were."
    )
    promises: Mapping[str, Figures]

    @classmethod
    def of(cls, today: Today, tickets: Attainment) -> AttainmentShown:
        return cls(
            day=today.day,
            zone=today.zone,
            response=Figures.of(today.response),
            tickets=Figures.of(tickets),
            promises={code: Figures.of(found) for code, found in today.promises.items()},
        )
