"""Moving running subjects to another policy version, over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from shared.events.terms import Severity
from shared.http.auth import Caller, allow
from shared.http.idempotency import idempotent
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.sent import Sent
from sla_monitor.clocks.rules import Clock, Outcome
from sla_monitor.clocks.rules.history import SubjectKind
from sla_monitor.moves import store
from sla_monitor.moves.actions import Foreseen, begin, look_ahead
from sla_monitor.moves.rules import Difference
from sla_monitor.moves.store import Criteria, Moving, count_fitting
from sla_monitor.policies.actions import policy_of
from sla_monitor.policies.routes import AUTHORS, READERS, Number
from sla_monitor.policies.store import load_rulebook

router = APIRouter(route_class=ServiceRoute)


class Judged(BaseModel):
    """A clock under one version."""

    requirement: str
    deadline: datetime
    standing: bool
    outcome: Outcome

    @classmethod
    def of(cls, clock: Clock | None) -> Judged | None:
        if clock is None:
            return None
        return cls(**{name: getattr(clock, name) for name in cls.model_fields})


class DifferenceShown(BaseModel):
    """A clock before and after; null where there is none."""

    promise: str
    occurrence: int
    before: Judged | None
    after: Judged | None
    flips: bool = Field(description="What was decided is decided otherwise.")

    @classmethod
    def of(cls, each: Difference) -> DifferenceShown:
        return cls(
            promise=each.promise,
            occurrence=each.occurrence,
            before=Judged.of(each.before),
            after=Judged.of(each.after),
            flips=each.flips,
        )


class SubjectMoved(BaseModel):
    """What would change for one ticket, request or call."""

    about: UUID
    about_kind: SubjectKind
    title: str | None
    region: str | None
    severity: Severity | None
    policy_version: int = Field(description="The one it obeys now.")
    differences: list[DifferenceShown]

    @classmethod
    def of(cls, found: Foreseen) -> SubjectMoved:
        subject: Any = found.subject
        return cls(
            about=found.id,
            about_kind=subject.kind,
            title=subject.title,
            region=subject.region,
            severity=subject.severity,
            policy_version=found.policy_version,
            differences=[DifferenceShown.of(each) for each in found.differences],
        )


class Looking(Sent):
    """Which running subjects, and from where on."""

    criteria: Criteria = Criteria()
    after: UUID | None = Field(default=None, description="`next` of the answer before.")
    limit: int = Field(default=200, ge=1, le=500, description="Subjects to look at.")


class MovePreview(BaseModel):
    """What would change for some subjects; sum up until `next` is null."""

    total: int = Field(description="Running subjects that fit, whatever `after`.")
    examined: int
    changed: int = Field(description="Clocks that differ, among those examined.")
    flipped: int = Field(description="Clocks decided otherwise, among those examined.")
    subjects: list[SubjectMoved] = Field(description="Those of the examined for which something changes.")
    next: UUID | None


class Beginning(Sent):
    """Which running subjects are to be moved."""

    criteria: Criteria = Criteria()


class MoveShown(BaseModel):
    """A move of running subjects, and how far it has come."""

    id: UUID
    policy_version: int
    criteria: Criteria
    began_by: str
    began_at: datetime
    total: int
    moved: int
    changed: int
    flipped: int
    ended_at: datetime | None

    @classmethod
    def of(cls, moving: Moving) -> MoveShown:
        return cls(**{name: getattr(moving, name) for name in cls.model_fields})


_WHERE = "/policies/{version}/migration"


@router.post(f"{_WHERE}/preview", dependencies=[Depends(allow(*AUTHORS))])
async def move_preview(tx: ReadTx, viewer: Caller, version: Number, body: Looking) -> MovePreview:
    """What moving running subjects to this version would change, subject by subject."""
    found = await look_ahead(tx, viewer, version, body.criteria, body.after, body.limit)
    every = [difference for each in found for difference in each.differences]
    return MovePreview(
        total=await count_fitting(tx, version, body.criteria),
        examined=len(found),
        changed=len(every),
        flipped=sum(1 for each in every if each.flips),
        subjects=[SubjectMoved.of(each) for each in found if each.differences],
        next=found[-1].id if len(found) == body.limit else None,
    )


@router.post(
    _WHERE, status_code=202, dependencies=[Depends(allow(*AUTHORS)), Depends(idempotent(required=True))]
)
async def move(tx: WriteTx, viewer: Caller, version: Number, body: Beginning) -> MoveShown:
    """Move running subjects to this version; every clock that changes is amended by an event."""
    return MoveShown.of(await begin(tx, viewer, version, body.criteria))


@router.get(_WHERE, dependencies=[Depends(allow(*READERS))])
async def moves(
    tx: ReadTx, version: Number, limit: Annotated[int, Field(ge=1, le=200)] = 50
) -> list[MoveShown]:
    """The moves to this version and how far each has come, the latest first."""
    policy_of(await load_rulebook(tx), version)
    return [MoveShown.of(each) for each in await store.list_moving(tx, version, limit)]
