"""Clocks over HTTP: what runs, the dossier of one subject, and today's attainment."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from shared.errors import AftercareError
from shared.events.terms import Code, Severity
from shared.http.auth import Caller, allow
from shared.http.cursor import Page, Paged
from shared.http.transaction import ReadTx, ServiceRoute
from sla_monitor.calendars.rules import Calendar
from sla_monitor.clocks import queries, store
from sla_monitor.clocks.attainment import Attainment, attainment_today
from sla_monitor.clocks.rules import Clock, Outcome, Pause, evaluate, explain
from sla_monitor.clocks.rules.changes import StoredClock
from sla_monitor.clocks.rules.history import SubjectKind
from sla_monitor.policies.store import load_rulebook

router = APIRouter(route_class=ServiceRoute)


class SubjectUnknown(AftercareError):
    """Nothing is known here of a ticket, request or call {id}."""

    kind = "not_found"


class PauseShown(BaseModel):
    """Time that does not count; `ends` is null while nobody knows."""

    begins: datetime
    ends: datetime | None
    reason: str

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
    confirmed: bool | None
    revision: int
    version: int

    @classmethod
    def of(cls, row: Any) -> ClockShown:
        pause = Pause(row.paused_from, row.paused_until, row.pause_reason) if row.pause_reason else None
        same = {name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)}
        return cls(
            **same,
            about=row.subject_id,
            about_kind=row.kind,
            pause=PauseShown.of(pause) if pause else None,
        )


@router.get("/clocks", dependencies=[Depends(allow("operations", "dispatcher", "admin"))])
async def clocks(
    tx: ReadTx,
    viewer: Caller,
    paging: Paged,
    state: Annotated[Outcome | None, Query(description="The outcome so far.")] = None,
    promise: Annotated[Code | None, Query(description="Only clocks of this promise.")] = None,
) -> Page[ClockShown]:
    """Clocks: those that run by deadline, the soonest first; others the latest first."""
    rows = await queries.list_clocks(tx, viewer, state, promise, paging.after, paging.limit + 1)
    shown = [ClockShown.of(row) for row in rows]
    return paging.page(shown, key=lambda clock: (clock.deadline, clock.id))


class IntervalShown(BaseModel):
    """A piece of a clock's time: counted or not, and why."""

    begins: datetime
    ends: datetime | None
    seconds: float | None
    counted: bool
    why: str


class Proof(BaseModel):
    """A clock with the arithmetic of its deadline."""

    id: UUID | None
    promise: str
    occurrence: int
    requirement: str
    rule: str = Field(examples=["wall"])
    measure: str
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


class HappeningShown(BaseModel):
    """One event of the history the clocks follow from."""

    id: UUID
    kind: str
    sequence: int
    at: datetime


class Dossier(BaseModel):
    """Everything promised about one subject, and how each deadline comes about."""

    about: UUID
    about_kind: SubjectKind
    title: str | None
    region: str | None
    severity: Severity | None
    policy_version: int
    calendar_version: int
    clocks: list[Proof]
    history: list[HappeningShown]


@router.get("/subjects/{id}/clocks", dependencies=[Depends(allow("operations", "dispatcher", "admin"))])
async def dossier(tx: ReadTx, viewer: Caller, id: UUID) -> Dossier:
    """The clocks of a ticket, request or call, folded anew from its history, with every interval."""
    subject = await queries.load_subject(tx, viewer, id)
    if subject is None:
        raise SubjectUnknown(id=id)
    history = await store.load_history(tx, id)
    stored = {(each.promise, each.occurrence): each for each in await store.load_clocks(tx, id)}
    governing = (await load_rulebook(tx)).at(subject.first_at)
    folded = evaluate(governing.policy, governing.calendar, history, tx.now)
    return Dossier(
        about=id,
        about_kind=subject.kind,
        title=subject.title,
        region=subject.region,
        severity=subject.severity,
        policy_version=governing.versions[0],
        calendar_version=governing.versions[1],
        clocks=[_proof(each, governing.calendar, stored) for each in folded],
        history=[
            HappeningShown(id=each.id, kind=each.kind, sequence=each.sequence, at=each.at) for each in history
        ],
    )


def _proof(clock: Clock, calendar: Calendar, stored: dict[tuple[str, int], StoredClock]) -> Proof:
    row = stored.get((clock.promise, clock.occurrence))
    until = max(clock.deadline, clock.stopped_at or clock.deadline)
    intervals = explain(calendar, clock.measure, clock.started_at, until, clock.pauses)
    return Proof(
        id=row.id if row else None,
        promise=clock.promise,
        occurrence=clock.occurrence,
        requirement=clock.requirement,
        rule=clock.rule,
        measure=clock.measure,
        severity=clock.severity,
        started_at=clock.started_at,
        deadline=clock.deadline,
        standing=clock.standing,
        pauses=[PauseShown.of(each) for each in clock.pauses],
        intervals=[
            IntervalShown(
                begins=each.begins,
                ends=each.ends,
                seconds=(each.ends - each.begins).total_seconds() if each.ends else None,
                counted=each.counted,
                why=each.why,
            )
            for each in intervals
        ],
        outcome=clock.outcome,
        stopped_at=clock.stopped_at,
        reason=clock.reason,
        confirmed=row.confirmed if row else None,
        revision=row.revision if row else 0,
    )


class Figures(BaseModel):
    """How promises have been kept today; `attainment` is null before anything is decided."""

    met: int
    breached: int
    running: int
    attainment: float | None

    @classmethod
    def of(cls, found: Attainment) -> Figures:
        return cls(met=found.met, breached=found.breached, running=found.running, attainment=found.share)


class AttainmentShown(BaseModel):
    """Today in the zone of the calendar: kept by their stop, missed by their deadline, running now."""

    day: date
    zone: str
    response: Figures
    promises: dict[str, Figures]


@router.get("/attainment", dependencies=[Depends(allow("operations", "dispatcher", "admin"))])
async def attainment(tx: ReadTx, viewer: Caller) -> AttainmentShown:
    """Response-time attainment of today (R110), over all response promises and for each promise."""
    today = await attainment_today(tx, viewer)
    return AttainmentShown(
        day=today.day,
        zone=today.zone,
        response=Figures.of(today.response),
        promises={code: Figures.of(found) for code, found in today.promises.items()},
    )
