"""The forms in which alerts are told over HTTP, and those in which something is done to many at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from shared.events.terms import Severity
from shared.sent import Sent
from sla_monitor.alerts.handling import Outcome as Handled
from sla_monitor.alerts.queries import State
from sla_monitor.alerts.rules import Refusal
from sla_monitor.clocks.rules import Outcome
from sla_monitor.clocks.rules.history import SubjectKind

MOST: int = 200  # alerts at once; a page shows no more


class AlertShown(BaseModel):
    """An alert that was raised, and who looks after it."""

    id: UUID
    clock_id: UUID
    about: UUID
    about_kind: SubjectKind
    title: str | None
    promise: str = Field(examples=["on_site"])
    severity: Severity | None
    region: str | None
    owner_id: UUID | None
    threshold: int = Field(description="Percent of the time; 100 is the breach, 0 an alert raised by hand.")
    revision: int
    state: State
    superseded_by: UUID | None = Field(description="Says more about the same promise, and stands for this.")
    retracted: bool = Field(description="A late message showed that it was wrong.")
    outcome: Outcome = Field(description="Of its clock, by now.")
    deadline: datetime
    raised_at: datetime
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    assigned_to: UUID | None
    snoozed_until: datetime | None
    snooze_reason: str | None
    version: int

    @classmethod
    def of(cls, row: Any) -> AlertShown:
        same = {name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)}
        retracted = row.revision < row.clock_revision
        return cls(**same, about=row.subject_id, about_kind=row.kind, retracted=retracted)


class DeedShown(BaseModel):
    """Something that was done to an alert; `by` is null when time did it."""

    at: datetime
    deed: Literal[
        "raised", "acknowledged", "snoozed", "returned", "assigned", "escalated", "called", "retracted"
    ]
    by: str | None
    detail: Mapping[str, Any]

    @classmethod
    def of(cls, row: Any) -> DeedShown:
        return cls(at=row.at, deed=row.deed, by=row.by, detail=row.detail)


class Seen(Sent):
    """An alert at the version that was looked at."""

    id: UUID
    version: int = Field(ge=1, lt=2**63)


class Many(Sent):
    """Alerts as they were seen."""

    alerts: list[Seen] = Field(min_length=1, max_length=MOST)

    @field_validator("alerts")
    @classmethod
    def _each_once(cls, alerts: list[Seen]) -> list[Seen]:
        if len({each.id for each in alerts}) < len(alerts):
            raise PydanticCustomError("alert_twice", "Name each alert once")
        return alerts

    @property
    def seen(self) -> dict[UUID, int]:
        return {each.id: each.version for each in self.alerts}


Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class ManySnoozed(Many):
    """Alerts that nobody needs to look at before an instant, and why."""

    until: AwareDatetime
    reason: Why


class ManyAssigned(Many):
    """Alerts that a person is asked to look after."""

    to: UUID


class HandledShown(BaseModel):
    """What became of one alert: `refused` says why nothing was done; `version` is the present one."""

    id: UUID
    done: bool
    refused: Refusal | None
    version: int | None
    acknowledged_by: str | None

    @classmethod
    def of(cls, each: Handled) -> HandledShown:
        alert = each.alert
        return cls(
            id=each.id,
            done=each.refused is None,
            refused=each.refused,
            version=alert.version if alert else None,
            acknowledged_by=alert.acknowledged_by if alert else None,
        )


class HandledAll(BaseModel):
    """One item for each alert that was named, in that order."""

    items: list[HandledShown]
