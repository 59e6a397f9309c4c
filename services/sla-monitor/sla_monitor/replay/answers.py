"""The forms in which replays are told: over HTTP, and by the command line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from shared.sent import Sent
from sla_monitor.clocks.rules import Outcome
from sla_monitor.replay.rules import Reason, Side
from sla_monitor.replay.store import Replay
from sla_monitor.replay.tally import Attainment, HeatRow, Tally, heat


class AttainmentShown(BaseModel):
    """Kept, missed, and undecided at the end; `share` is kept of decided, null of nothing."""

    met: int
    breached: int
    running: int
    share: float | None

    @classmethod
    def of(cls, found: Attainment) -> AttainmentShown:
        return cls(met=found.met, breached=found.breached, running=found.running, share=found.share)


class BothShown(BaseModel):
    """The same figure as it was, and as it would have been."""

    base: AttainmentShown
    tried: AttainmentShown


class PromiseShown(BothShown):
    """How often one promise was kept."""

    promise: str = Field(examples=["on_site"])


class FlipShown(BaseModel):
    """How many clocks of a promise end otherwise; `none` where nothing is promised."""

    promise: str
    before: str = Field(examples=["met"])
    after: str = Field(examples=["breached"])
    clocks: int


class HeatShown(BaseModel):
    """Promises that a team or region would have missed, by the local hour at which they were due."""

    name: str
    base: int
    tried: int
    hours: list[int] = Field(min_length=24, max_length=24)

    @classmethod
    def of(cls, row: HeatRow) -> HeatShown:
        return cls(name=row.name, base=row.base, tried=row.tried, hours=list(row.hours))


class ReportShown(BaseModel):
    """What a replay found; `subjects` counts a ticket as kept when all its response clocks were (R110)."""

    replayed: int
    changed: int = Field(description="Subjects of which any promise ends, or is due, otherwise.")
    subjects: BothShown
    promises: list[PromiseShown]
    flips: list[FlipShown]
    teams: list[HeatShown]
    regions: list[HeatShown]
    checked: int = Field(description="Stored clocks that were compared with the fold.")
    unreproduced: int = Field(description="Those of them that the fold gave otherwise; none, if all is well.")

    @classmethod
    def of(cls, tally: Tally) -> ReportShown:
        return cls(
            replayed=tally.replayed,
            changed=tally.changed,
            subjects=BothShown(**_both(lambda side: tally.whole(side))),
            promises=[
                PromiseShown(promise=code, **_both(lambda side, code=code: tally.of(side, code)))
                for code in tally.codes
            ],
            flips=[
                FlipShown(promise=promise, before=before, after=after, clocks=count)
                for (promise, before, after), count in sorted(tally.flips.items())
                if count
            ],
            teams=[HeatShown.of(row) for row in heat(tally.teams)],
            regions=[HeatShown.of(row) for row in heat(tally.regions)],
            checked=tally.checked,
            unreproduced=tally.unreproduced,
        )


def _both(of: Any) -> dict[Side, AttainmentShown]:
    return {"base": AttainmentShown.of(of("base")), "tried": AttainmentShown.of(of("tried"))}


class CalendarChoice(Sent):
    """One version of a calendar, for all subjects."""

    name: str = Field(min_length=1, max_length=64, examples=["cn"])
    version: int = Field(ge=1, le=2**31 - 1)


class ReplayShown(BaseModel):
    """A replay: what was asked, how far it has come, and what it has found so far."""

    id: UUID
    state: Literal["waiting", "running", "done", "failed"]
    asked_by: str
    asked_at: datetime
    policy_version: int | None = Field(description="Null: a draft.")
    against_version: int | None = Field(description="Null: what was in force for each subject.")
    calendar: CalendarChoice | None = Field(description="Null: the calendars that the policy names.")
    source: str | None = Field(description="An imported history; null: our own.")
    begins: datetime
    ends: datetime
    total: int
    done: int
    finished_at: datetime | None
    failure: str | None
    report: ReportShown
    version: int

    @classmethod
    def of(cls, each: Replay) -> ReplayShown:
        calendar = None
        if each.calendar is not None and each.calendar_version is not None:
            calendar = CalendarChoice(name=each.calendar, version=each.calendar_version)
        names = (
            "id", "state", "asked_by", "asked_at", "policy_version", "against_version", "source", "begins",
            "ends", "total", "finished_at", "failure", "version",
        )  # fmt: skip
        return cls(
            **{name: getattr(each, name) for name in names},
            calendar=calendar,
            done=each.tally.replayed,
            report=ReportShown.of(each.tally),
        )


class ReasonShown(BaseModel):
    """One thing that differs; lengths are seconds, instants UTC."""

    why: str = Field(examples=["allowance"])
    before: str | float | None
    after: str | float | None


class ChangeShown(BaseModel):
    """One promise to one subject that would have ended otherwise, and why."""

    subject_id: UUID
    name: str
    region: str
    team: str
    promise: str
    occurrence: int
    outcome_before: Outcome | None
    outcome_after: Outcome | None
    deadline_before: datetime | None
    deadline_after: datetime | None
    reasons: list[ReasonShown]

    @classmethod
    def of(cls, row: Any) -> ChangeShown:
        return cls.model_validate(row, from_attributes=True)


def reasons_of(row: Any) -> Sequence[Reason]:
    """The reasons of a stored change."""
    return [Reason(**each) for each in row.reasons]
